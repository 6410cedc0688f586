#!/bin/sh
# Requests the health of a Deployment through a port that kubectl forwards to one of its Pods.
#
# CONTEXT    context of the kubeconfig
# NAMESPACE  namespace of the Deployment
# TARGET     what to test, such as deployment/web-green
#
# Exit status: 0 passes, 1 fails the release, 75 is inconclusive.
set -u

log=$(mktemp)
kubectl --context "$CONTEXT" --namespace "$NAMESPACE" port-forward "$TARGET" :8080 >"$log" 2>&1 &
forwarder=$!
trap 'kill "$forwarder" 2>/dev/null; rm -f "$log"' EXIT

port=
for _ in 1 2 3 4 5 6 7 8 9 10; do
	port=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) .*/\1/p' "$log")
	[ -n "$port" ] && break
	kill -0 "$forwarder" 2>/dev/null || break
	sleep 1
done
if [ -z "$port" ]; then
	echo "no Pod of $TARGET could be reached: $(tail -n 1 "$log")"
	exit 75
fi
status=$(curl --silent --output /dev/null --max-time 10 --write-out '%{http_code}' "http://127.0.0.1:$port/healthz")
echo "$TARGET answered $status"
[ "$status" = 200 ]
