package localalb

import (
	"errors"
	"net/http"
	"net/url"
)

// serveCloudWatch handles a call to CloudWatch in CBOR or JSON.
func (e *endpoint) serveCloudWatch(w http.ResponseWriter, r *http.Request, proto protocol) {
	raw, err := readBody(w, r)
	var document any
	if err == nil {
		if document, err = proto.decode(raw); err != nil {
			err = badRequest("SerializationException", "The body could not be read: %v", err)
		}
	}
	params := url.Values{}
	flatten("", document, params)
	entry := e.journal.begin(Call{Service: serviceCloudWatch, Action: proto.action, Params: params})
	e.respondCloudWatch(w, proto, entry, func() (any, error) {
		if err != nil {
			return nil, err
		}
		return e.executeCloudWatch(r, entry, document)
	})
}

// serveCloudWatchForm handles a call to CloudWatch in the form of the Query API.
func (e *endpoint) serveCloudWatchForm(w http.ResponseWriter, r *http.Request, form url.Values) {
	entry := e.journal.begin(Call{Service: serviceCloudWatch, Action: form.Get("Action"), Params: form})
	e.respondCloudWatch(w, queryProtocol(entry.Action), entry, func() (any, error) {
		document, err := unflatten(form)
		if err != nil {
			return nil, err
		}
		return e.executeCloudWatch(r, entry, document)
	})
}

func (e *endpoint) respondCloudWatch(w http.ResponseWriter, proto protocol, entry *Call, execute func() (any, error)) {
	result, failure := execute()
	if errors.Is(failure, errDropped) {
		panic(http.ErrAbortHandler) // makes net/http close the connection without a response
	}
	status, code := http.StatusOK, ""
	out := reply{action: proto.action, id: requestID(), result: result}
	if failure != nil {
		out.failure = asAPIError(failure)
		status, code = out.failure.status, out.failure.code
		w.Header().Set("X-Amzn-Query-Error", out.queryError())
	}
	e.journal.end(entry, status, code)
	body, err := proto.encode(out)
	if err != nil {
		e.cfg.log.Error("cannot encode a response", "action", entry.Action, "error", err)
	}
	if proto.contentType == "application/cbor" {
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	w.Header().Set("Content-Type", proto.contentType)
	e.writeResponse(w, out.id, status, body)
}

func (e *endpoint) executeCloudWatch(r *http.Request, entry *Call, document any) (any, error) {
	if err := e.admit(r, entry); err != nil {
		return nil, err
	}
	writes, err := e.cloudWatch.Writes(entry.Action)
	if err != nil {
		return nil, err
	}
	return e.underFaults(r, entry, writes, func(fx effects) (any, error) {
		return e.cloudWatch.Run(cwRequest{Action: entry.Action, Region: regionOf(r, e.cfg.region), Document: document, Effects: fx})
	})
}
