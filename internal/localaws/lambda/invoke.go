package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
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

// invoke runs a version. An alias chooses it by weight.
func invoke(c *call, in named) (any, error) {
	f, t, err := c.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	v, err := c.version(f, t)
	if err != nil {
		return nil, err
	}
	if a := f.aliases[t.qualifier]; a != nil {
		number := a.served.at(c.now).next()
		if previous := f.provisioned[t.qualifier].servesPrevious(c.now); previous != "" {
			number = previous
		}
		if v = f.version(number); v == nil {
			return nil, c.noFunction(target{t.key, number})
		}
	}
	run := invocation{
		Invocation: dataplane.Invocation{Region: t.key.region, Function: t.key.name, Qualifier: t.qualifier, Version: v.number},
		arn:        c.arnOf(t),
		timeout:    time.Duration(v.settings.Timeout) * time.Second, payload: c.request.Payload,
	}
	if v.settings.Environment != nil {
		run.url = v.settings.Environment.Variables[handlerVariable]
	}
	switch c.request.InvocationType {
	case "DryRun":
		return wire.Answer{Status: http.StatusNoContent}, nil
	case "Event":
		c.running.Go(func() { c.execute(c.background, run) })
		return wire.Answer{Status: http.StatusAccepted, Header: map[string]string{"X-Amz-Executed-Version": v.number}}, nil
	}
	return c.execute(c.request.Context, run), nil
}

// execute runs an invocation, counts it, and returns the answer.
func (s *Service) execute(ctx context.Context, run invocation) wire.Answer {
	began := time.Now()
	payload, fault := s.post(ctx, run)
	run.Failed, run.Took = fault != nil, time.Since(began)
	s.count(run.Invocation, run.arn)
	answer := wire.Answer{Status: http.StatusOK, Header: map[string]string{"X-Amz-Executed-Version": run.Version}, Raw: payload}
	if fault != nil {
		answer.Header["X-Amz-Function-Error"] = "Unhandled"
		if len(payload) == 0 {
			answer.Raw, _ = json.Marshal(fault)
		}
	}
	return answer
}

// functionError is the payload of an invocation that the runtime ended.
type functionError struct {
	ErrorType    string `json:"errorType"`
	ErrorMessage string `json:"errorMessage"`
}

func (s *Service) post(ctx context.Context, run invocation) ([]byte, *functionError) {
	if run.url == "" {
		return nil, &functionError{"Runtime.InvalidEntrypoint", "localaws: the version was published without the environment variable " + handlerVariable}
	}
	ctx, cancel := context.WithTimeout(ctx, run.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, run.url, bytes.NewReader(run.payload))
	if err != nil {
		return nil, &functionError{"Runtime.InvalidEntrypoint", err.Error()}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Amz-Executed-Version", run.Version)
	response, err := s.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, &functionError{"Sandbox.Timedout", fmt.Sprintf("Task timed out after %.2f seconds", run.timeout.Seconds())}
		}
		return nil, &functionError{"Runtime.ExitError", "RequestId: localaws Error: Runtime exited with error: " + err.Error()}
	}
	defer func() { _ = response.Body.Close() }()
	payload, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, &functionError{"Runtime.ExitError", err.Error()}
	case len(payload) > maxAnswer:
		return nil, &functionError{"Function.ResponseSizeTooLarge", fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxAnswer)}
	case response.StatusCode >= http.StatusBadRequest:
		return payload, &functionError{"Error", response.Status}
	}
	return payload, nil
}
