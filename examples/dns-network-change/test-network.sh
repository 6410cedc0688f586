#!/bin/sh
# Asks the application of a stack to connect to its dependencies, through the load balancer
# of the stack. The application answers /connect/<dependency> with 200 if it is connected
# and 502 if it is not.
#
# ADDRESS  DNS name of the load balancer
# PORT     port of the load balancer, 443 by default
# NAME     name in the certificate
# OPEN     dependencies that must be reached
# CLOSED   dependencies that must not be reached
#
# Exit status: 0 passes, 1 fails the release, 75 is inconclusive.
set -u

connect() {
	curl --silent --output /dev/null --max-time 15 --write-out '%{http_code}' \
		--connect-to "$NAME:443:$ADDRESS:${PORT:-443}" "https://$NAME/connect/$1"
}

result=0
for name in $OPEN; do
	case $(connect "$name") in
	200) echo "$name: connected" ;;
	502) echo "$name: not connected" && result=1 ;;
	*) echo "$name: the application did not answer" && [ "$result" = 1 ] || result=75 ;;
	esac
done
for name in $CLOSED; do
	case $(connect "$name") in
	502) echo "$name: closed" ;;
	200) echo "$name: connected, but must not be" && result=1 ;;
	*) echo "$name: the application did not answer" && [ "$result" = 1 ] || result=75 ;;
	esac
done
exit "$result"
