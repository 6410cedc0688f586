#!/bin/sh
# Opens TCP connections from a Pod, and checks which of them its NetworkPolicy allows. The image
# needs sh and nc.
#
# CONTEXT    context of the kubeconfig
# NAMESPACE  namespace of the Deployment
# TARGET     where the connections begin, such as deployment/web-green
# OPEN       what must be reached, each as HOST:PORT
# CLOSED     what must not be reached
#
# Exit status: 0 passes, 1 fails the release, 75 is inconclusive.
set -u

# connect prints open, closed or nothing, where no Pod could be asked.
connect() {
	kubectl --context "$CONTEXT" --namespace "$NAMESPACE" exec "$TARGET" -- \
		sh -c 'if nc -z -w 5 "$0" "$1" >/dev/null 2>&1; then echo open; else echo closed; fi' "${1%:*}" "${1##*:}"
}

result=0
check() { # address, what it must be
	got=$(connect "$1" 2>/dev/null)
	case $got in
	"$2") echo "$1: $got" ;;
	open | closed) echo "$1: $got, but must be $2" && result=1 ;;
	*) echo "$1: no Pod of $TARGET could be asked" && [ "$result" = 1 ] || result=75 ;;
	esac
}
for address in $OPEN; do check "$address" open; done
for address in $CLOSED; do check "$address" closed; done
exit "$result"
