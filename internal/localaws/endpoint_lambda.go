package localaws

import (
	"net/http"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/lambda"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// serveLambda handles a call to Lambda.
func (e *endpoint) serveLambda(w http.ResponseWriter, r *http.Request) {
	action, members := lambda.Find(r)
	body, err := lambda.ReadBody(action, w, r)
	var document map[string]any
	if err == nil {
		document, err = lambda.DocumentOf(action, members, body)
	}
	e.serve(w, wire.JSONProtocol(action), Call{Service: wire.Lambda, Action: action, Params: wire.Flatten(lambda.Recorded(document))}, func(entry *Call) (any, error) {
		if err != nil {
			return nil, err
		}
		if err := e.admit(r, entry); err != nil {
			return nil, err
		}
		return e.underFaults(r, entry, e.lambda.Writes(action), func(fx faults.Effects) (any, error) {
			return e.lambda.Run(lambda.Request{
				Context: r.Context(), Action: action, Region: wire.RegionOf(r, e.cfg.region),
				Document: document, Payload: body, InvocationType: r.Header.Get("X-Amz-Invocation-Type"), Effects: fx,
			})
		})
	})
}
