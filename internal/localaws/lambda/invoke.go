package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// handlerVariable is the environment variable with the URL that runs a version.
const handlerVariable = "LOCALAWS_HANDLER"

// maxAnswer is Lambda's limit for the answer of a synchronous invocation.
const maxAnswer = 6 << 20

// invocation is one run of a version.
type invocation struct {
	dataplane.Invocation
	arn     string // that was invoked
	url     string
	timeout time.Duration
	payload []byte
}

// invoke runs a version.
func invoke(c *call, in named) (any, error) {
	run, err := c.choose(in)
	if err != nil {
		return nil, err
	}
	run.payload = c.request.Payload
	switch c.request.InvocationType {
	case "DryRun":
		return wire.Answer{Status: http.StatusNoContent}, nil
	case "Event":
		c.running.Go(func() { c.execute(c.background, run) })
		return wire.Answer{Status: http.StatusAccepted, Header: map[string]string{executedVersion: run.Version}}, nil
	}
	return c.execute(c.request.Context, run).answer(run.Version), nil
}

// executedVersion is the header with the version that ran.
const executedVersion = "X-Amz-Executed-Version"

// choose returns the version to run. An alias chooses it by weight.
func (c *call) choose(in named) (invocation, error) {
	f, t, err := c.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return invocation{}, err
	}
	v, err := c.version(f, t)
	if err != nil {
		return invocation{}, err
	}
	if a := f.aliases[t.qualifier]; a != nil {
		number := a.served.at(c.now).next()
		if previous := f.provisioned[t.qualifier].servesPrevious(c.now); previous != "" {
			number = previous
		}
		if v = f.version(number); v == nil {
			return invocation{}, c.noFunction(target{t.key, number})
		}
	}
	run := invocation{
		Invocation: dataplane.Invocation{Region: t.key.region, Function: t.key.name, Qualifier: t.qualifier, Version: v.number},
		arn:        c.arnOf(t),
		timeout:    time.Duration(v.settings.Timeout) * time.Second,
	}
	if v.settings.Environment != nil {
		run.url = v.settings.Environment.Variables[handlerVariable]
	}
	return run, nil
}

// outcome is what an invocation returned.
type outcome struct {
	header  http.Header // of the process that ran it; nil: there was no response
	payload []byte
	fault   *functionError // nil: none
}

// execute runs an invocation and counts it.
func (s *Service) execute(ctx context.Context, run invocation) outcome {
	began := time.Now()
	o := s.post(ctx, run)
	run.Failed, run.Took = o.fault != nil, time.Since(began)
	s.count(run.Invocation, run.arn)
	if o.fault != nil && len(o.payload) == 0 {
		o.payload, _ = json.Marshal(o.fault)
	}
	return o
}

// answer returns the answer of the API.
func (o outcome) answer(version string) wire.Answer {
	a := wire.Answer{Status: http.StatusOK, Header: map[string]string{executedVersion: version}, Raw: o.payload}
	if o.fault != nil {
		a.Header["X-Amz-Function-Error"] = "Unhandled"
	}
	return a
}

// ServeURL invokes the ARN of an alias, a version or a function with the body of a request, and responds with what the
// process of the version responds, as a function URL does. A function error is a 502.
func (s *Service) ServeURL(w http.ResponseWriter, r *http.Request, arn string) {
	payload, err := wire.ReadBody(w, r)
	region, _, _ := splitARN(arn)
	c := &call{Service: s, request: Request{Context: r.Context(), Region: region}, state: s.current.Load(), now: s.opts.Now()}
	run, notFound := c.choose(named{FunctionName: arn})
	if err = errors.Join(err, notFound); err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	run.payload = payload
	o := s.execute(r.Context(), run)
	maps.Copy(w.Header(), o.header)
	w.Header().Set(executedVersion, run.Version)
	w.Header().Del("Content-Length")
	if o.fault != nil {
		w.WriteHeader(http.StatusBadGateway)
	}
	_, _ = w.Write(o.payload)
}

// functionError is the payload of an invocation that the runtime ended.
type functionError struct {
	ErrorType    string `json:"errorType"`
	ErrorMessage string `json:"errorMessage"`
}

func failed(fault *functionError) outcome { return outcome{fault: fault} }

func (s *Service) post(ctx context.Context, run invocation) outcome {
	if run.url == "" {
		return failed(&functionError{"Runtime.InvalidEntrypoint", "localaws: the version was published without the environment variable " + handlerVariable})
	}
	ctx, cancel := context.WithTimeout(ctx, run.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, run.url, bytes.NewReader(run.payload))
	if err != nil {
		return failed(&functionError{"Runtime.InvalidEntrypoint", err.Error()})
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(executedVersion, run.Version)
	response, err := s.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return failed(&functionError{"Sandbox.Timedout", fmt.Sprintf("Task timed out after %.2f seconds", run.timeout.Seconds())})
		}
		return failed(&functionError{"Runtime.ExitError", "RequestId: localaws Error: Runtime exited with error: " + err.Error()})
	}
	defer func() { _ = response.Body.Close() }()
	payload, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return failed(&functionError{"Runtime.ExitError", err.Error()})
	case len(payload) > maxAnswer:
		return failed(&functionError{"Function.ResponseSizeTooLarge", fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxAnswer)})
	case response.StatusCode >= http.StatusBadRequest:
		return outcome{response.Header, payload, &functionError{"Error", response.Status}}
	}
	return outcome{header: response.Header, payload: payload}
}
