package localaws

import (
	"context"
	"errors"
	"net/http"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/cloudwatch"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/elbv2"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/lambda"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// endpoint serves the APIs of all services. A request says itself which one it is for.
type endpoint struct {
	ctx        context.Context // canceled when the server stops
	cfg        config
	journal    *journal
	faults     *faults.Set
	elb        *elbv2.Service
	cloudWatch *cloudwatch.Service
	route53    *route53.Service
	lambda     *lambda.Service
}

// errDropped marks a call whose connection is closed without a response.
var errDropped = errors.New("connection dropped")

// ServeHTTP handles one request to the ELBv2 Query API, to CloudWatch, to Route 53, to Lambda or to STS.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path, ok := wire.RESTPath(r); ok {
		e.serveRoute53(w, r, path)
		return
	}
	if proto, ok := wire.ProtocolOf(r); ok {
		e.serveDocument(w, r, proto)
		return
	}
	if lambda.IsFor(r) {
		e.serveLambda(w, r)
		return
	}
	form, err := wire.ReadForm(w, r)
	if err != nil {
		e.write(w, wire.QueryProtocol(wire.ELB, ""), wire.NewReply(nil, err))
		return
	}
	call := Call{Service: wire.ServiceOf(form), Action: form.Get("Action"), Params: form}
	e.serve(w, wire.QueryProtocol(call.Service, call.Action), call, func(entry *Call) (any, error) {
		switch {
		case call.Service == wire.CloudWatch:
			document, err := wire.Unflatten(form)
			if err != nil {
				return nil, err
			}
			return e.runCloudWatch(r, entry, document)
		case call.Service == wire.STS && call.Action == "GetCallerIdentity":
			return e.callerIdentity(r, entry)
		}
		return e.runELB(r, entry)
	})
}

// serveDocument handles a call to CloudWatch in CBOR or JSON.
func (e *endpoint) serveDocument(w http.ResponseWriter, r *http.Request, proto wire.Protocol) {
	raw, err := wire.ReadBody(w, r)
	var document any
	if err == nil {
		document, err = proto.Decode(raw)
	}
	e.serve(w, proto, Call{Service: wire.CloudWatch, Action: proto.Action, Params: wire.Flatten(document)}, func(entry *Call) (any, error) {
		if err != nil {
			return nil, err
		}
		return e.runCloudWatch(r, entry, document)
	})
}

// serveRoute53 handles a call to Route 53 with a path behind the version of the API.
func (e *endpoint) serveRoute53(w http.ResponseWriter, r *http.Request, path string) {
	action, params := route53.ActionOf(r, path)
	raw, err := wire.ReadBody(w, r)
	document := params
	if err == nil {
		document, err = route53.Decode(params, raw)
	}
	e.serve(w, wire.RESTProtocol(action), Call{Service: wire.Route53, Action: action, Params: wire.Flatten(document)}, func(entry *Call) (any, error) {
		if err != nil {
			return nil, err
		}
		return e.runRoute53(r, entry, document)
	})
}

// serve records a call, runs it and responds.
func (e *endpoint) serve(w http.ResponseWriter, proto wire.Protocol, call Call, run func(entry *Call) (any, error)) {
	entry := e.journal.begin(call)
	result, err := run(entry)
	if errors.Is(err, errDropped) {
		panic(http.ErrAbortHandler) // makes net/http close the connection without a response
	}
	reply := wire.NewReply(result, err)
	e.journal.end(entry, reply.Status(), reply.ErrorCode())
	e.write(w, proto, reply)
}

func (e *endpoint) write(w http.ResponseWriter, proto wire.Protocol, reply wire.Reply) {
	if err := proto.Write(w, reply); err != nil {
		e.cfg.log.Error("cannot respond", "error", err)
	}
}

func (e *endpoint) runELB(r *http.Request, entry *Call) (any, error) {
	if err := e.admit(r, entry); err != nil {
		return nil, err
	}
	writes, err := e.elb.Writes(entry.Params)
	if err != nil {
		return nil, err
	}
	return e.underFaults(r, entry, writes, func(fx faults.Effects) (any, error) {
		return e.elb.Run(elbv2.Request{Params: entry.Params, Region: wire.RegionOf(r, e.cfg.region), Effects: fx})
	})
}

func (e *endpoint) runCloudWatch(r *http.Request, entry *Call, document any) (any, error) {
	if err := e.admit(r, entry); err != nil {
		return nil, err
	}
	writes, err := e.cloudWatch.Writes(entry.Action)
	if err != nil {
		return nil, err
	}
	return e.underFaults(r, entry, writes, func(fx faults.Effects) (any, error) {
		return e.cloudWatch.Run(cloudwatch.Request{Action: entry.Action, Region: wire.RegionOf(r, e.cfg.region), Document: document, Effects: fx})
	})
}

func (e *endpoint) runRoute53(r *http.Request, entry *Call, document any) (any, error) {
	if err := e.admit(r, entry); err != nil {
		return nil, err
	}
	writes, err := e.route53.Writes(entry.Action)
	if err != nil {
		return nil, err
	}
	return e.underFaults(r, entry, writes, func(fx faults.Effects) (any, error) {
		return e.route53.Run(route53.Request{Action: entry.Action, Document: document, Effects: fx})
	})
}

// callerIdentity serves the only STS call that AWS tools make before they call ELB.
func (e *endpoint) callerIdentity(r *http.Request, entry *Call) (any, error) {
	return struct {
		Arn     string
		UserID  string `xml:"UserId"`
		Account string
	}{"arn:aws:iam::" + e.cfg.account + ":user/local", "AIDALOCALAWS", e.cfg.account}, e.admit(r, entry)
}

// admit runs the hooks and rejects a call without a signature.
func (e *endpoint) admit(r *http.Request, entry *Call) error {
	e.journal.callHooks(entry)
	if r.Header.Get("Authorization") == "" && !entry.Params.Has("X-Amz-Signature") {
		return &wire.Error{Status: http.StatusForbidden, Code: "MissingAuthenticationToken", Message: "Missing Authentication Token"}
	}
	return nil
}

// underFaults runs a call with the effects of the faults that match it.
func (e *endpoint) underFaults(r *http.Request, entry *Call, write bool, run func(faults.Effects) (any, error)) (any, error) {
	fx := e.faults.Match(entry.Action, entry.Params, write)
	if fx.Wait(r.Context()) != nil || fx.WaitForExecution(e.ctx) != nil {
		return nil, errDropped
	}
	if err := fx.Failure(entry.Service, entry.Action, e.cfg.account); err != nil {
		return nil, err
	}
	if fx.Kind == faults.DropConnection {
		return nil, errDropped
	}
	result, err := run(fx)
	switch fx.Kind {
	case faults.DropAnswer:
		return nil, errDropped
	case faults.EmptyBody:
		return wire.NoBody{}, nil
	case faults.HTMLBody:
		return wire.Page{}, nil
	case faults.CutAnswer:
		return wire.Cut{Result: result}, err
	case faults.EmptyList:
		return wire.WithoutContent(result), err
	default:
		return result, err
	}
}
