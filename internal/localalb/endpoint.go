package localalb

import (
	"errors"
	"net/http"
)

const stsVersion = "2011-06-15"

// endpoint serves the APIs of all services. A request says itself which one it is for.
type endpoint struct {
	cfg        config
	journal    *journal
	faults     *faultSet
	elb        *elbService
	cloudWatch *cloudWatch
}

// ServeHTTP handles one request to the ELBv2 Query API, to CloudWatch or to STS.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if proto, ok := protocolOf(r); ok {
		e.serveCloudWatch(w, r, proto)
		return
	}
	id := requestID()
	form, err := readForm(w, r)
	if err != nil {
		e.writeError(w, id, asAPIError(err))
		return
	}
	if form.Get("Version") == cloudWatchVersion {
		e.serveCloudWatchForm(w, r, form)
		return
	}
	service := serviceELB
	if form.Get("Version") == stsVersion {
		service = serviceSTS
	}
	entry := e.journal.begin(Call{Service: service, Action: form.Get("Action"), Params: form})
	body, failure := e.execute(r, id, entry)
	switch {
	case errors.Is(failure, errDropped):
		panic(http.ErrAbortHandler) // makes net/http close the connection without a response
	case failure != nil:
		known := asAPIError(failure)
		e.journal.end(entry, known.status, known.code)
		e.writeError(w, id, known)
	default:
		e.journal.end(entry, http.StatusOK, "")
		e.writeResponse(w, id, http.StatusOK, body)
	}
}

// errDropped marks a call whose connection is closed without a response.
var errDropped = errors.New("connection dropped")

func (e *endpoint) execute(r *http.Request, id string, entry *Call) ([]byte, error) {
	if err := e.admit(r, entry); err != nil {
		return nil, err
	}
	if entry.Action == "GetCallerIdentity" && entry.Service == serviceSTS {
		return e.callerIdentity(id)
	}
	writes, err := e.elb.Writes(entry.Params)
	if err != nil {
		return nil, err
	}
	result, err := e.underFaults(r, entry, writes, func(fx effects) (any, error) {
		return e.elb.Run(elbRequest{Params: entry.Params, Region: regionOf(r, e.cfg.region), Effects: fx})
	})
	if err != nil {
		return nil, err
	}
	return encodeResult(elbXMLNamespace, entry.Action, id, result)
}

// admit runs the hooks and rejects a call without a signature.
func (e *endpoint) admit(r *http.Request, entry *Call) error {
	e.journal.callHooks(entry)
	if r.Header.Get("Authorization") == "" && !entry.Params.Has("X-Amz-Signature") {
		return &apiError{status: http.StatusForbidden, code: "MissingAuthenticationToken", message: "Missing Authentication Token"}
	}
	return nil
}

// underFaults runs a call with the effects of the faults that match it.
func (e *endpoint) underFaults(r *http.Request, entry *Call, write bool, run func(effects) (any, error)) (any, error) {
	fx := e.faults.Match(entry.Action, entry.Params, write)
	if err := fx.Wait(r.Context()); err != nil {
		return nil, errDropped
	}
	if err := fx.Failure(entry.Service, entry.Action, e.cfg.account); err != nil {
		return nil, err
	}
	if fx.kind == DropConnection {
		return nil, errDropped
	}
	result, err := run(fx)
	if fx.kind == DropAnswer {
		return nil, errDropped
	}
	return result, err
}

func (e *endpoint) writeError(w http.ResponseWriter, id string, failure *apiError) {
	body, err := encodeError(elbXMLNamespace, id, failure)
	if err != nil {
		e.cfg.log.Error("cannot encode an error", "error", err)
	}
	e.writeResponse(w, id, failure.status, body)
}

// writeResponse writes a response body. It is XML unless the Content-Type header is already set.
func (e *endpoint) writeResponse(w http.ResponseWriter, id string, status int, body []byte) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/xml")
	}
	w.Header().Set("X-Amzn-Requestid", id)
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		e.cfg.log.Debug("client disconnected", "error", err)
	}
}

// callerIdentity serves the only STS call that AWS tools make before they call ELB.
func (e *endpoint) callerIdentity(id string) ([]byte, error) {
	return encodeResult("https://sts.amazonaws.com/doc/2011-06-15/", "GetCallerIdentity", id, struct {
		Arn     string
		UserID  string `xml:"UserId"`
		Account string
	}{"arn:aws:iam::" + e.cfg.account + ":user/local", "AIDALOCALALB", e.cfg.account})
}
