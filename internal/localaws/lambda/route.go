package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// path is where an action is in the REST API. Names in braces are members of the input.
type path struct{ method, pattern, action string }

// paths returns all paths. The first that matches counts.
func paths() []path {
	const functions, concurrency = "/2015-03-31/functions", "/2019-09-30/functions/{FunctionName}/provisioned-concurrency"
	return []path{
		{"POST", functions, "CreateFunction"},
		{"GET", functions + "/{FunctionName}", "GetFunction"},
		{"DELETE", functions + "/{FunctionName}", "DeleteFunction"},
		{"GET", functions + "/{FunctionName}/configuration", "GetFunctionConfiguration"},
		{"PUT", functions + "/{FunctionName}/configuration", "UpdateFunctionConfiguration"},
		{"PUT", functions + "/{FunctionName}/code", "UpdateFunctionCode"},
		{"GET", "/2020-06-30/functions/{FunctionName}/code-signing-config", "GetFunctionCodeSigningConfig"},
		{"POST", functions + "/{FunctionName}/versions", "PublishVersion"},
		{"GET", functions + "/{FunctionName}/versions", "ListVersionsByFunction"},
		{"POST", functions + "/{FunctionName}/aliases", "CreateAlias"},
		{"GET", functions + "/{FunctionName}/aliases", "ListAliases"},
		{"GET", functions + "/{FunctionName}/aliases/{Name}", "GetAlias"},
		{"PUT", functions + "/{FunctionName}/aliases/{Name}", "UpdateAlias"},
		{"DELETE", functions + "/{FunctionName}/aliases/{Name}", "DeleteAlias"},
		{"POST", functions + "/{FunctionName}/invocations", "Invoke"},
		{"PUT", concurrency, "PutProvisionedConcurrencyConfig"},
		{"GET", concurrency, "GetProvisionedConcurrencyConfig"},
		{"DELETE", concurrency, "DeleteProvisionedConcurrencyConfig"},
		{"POST", "/2017-03-31/tags/{Resource}", "TagResource"},
		{"DELETE", "/2017-03-31/tags/{Resource}", "UntagResource"},
		{"GET", "/2017-03-31/tags/{Resource}", "ListTags"},
	}
}

// IsFor reports whether a request is for Lambda, based on its path.
func IsFor(r *http.Request) bool {
	for _, prefix := range []string{"/2015-03-31/functions", "/2019-09-30/functions/", "/2020-06-30/functions/", "/2017-03-31/tags/"} {
		if strings.HasPrefix(r.URL.Path, prefix) {
			return true
		}
	}
	return false
}

// Find returns the action of a request and the members of its path and query. Without an action, there is none.
func Find(r *http.Request) (action string, members map[string]any) {
	members = map[string]any{}
	for name, values := range r.URL.Query() {
		members[name] = values[0]
		if name == "tagKeys" {
			members[name] = values
		}
	}
	for _, p := range paths() {
		labels, ok := p.match(r)
		if !ok {
			continue
		}
		for name, value := range labels {
			members[name] = value
		}
		if members["List"] == "ALL" {
			return "ListProvisionedConcurrencyConfigs", members
		}
		return p.action, members
	}
	return "", members
}

func (p path) match(r *http.Request) (map[string]string, bool) {
	want, got := strings.Split(p.pattern, "/"), strings.Split(strings.TrimSuffix(r.URL.EscapedPath(), "/"), "/")
	if p.method != r.Method || len(want) != len(got) {
		return nil, false
	}
	labels := map[string]string{}
	for i, w := range want {
		value, err := url.PathUnescape(got[i])
		if err != nil {
			return nil, false
		}
		if name, ok := strings.CutPrefix(w, "{"); ok {
			labels[strings.TrimSuffix(name, "}")] = value
		} else if w != value {
			return nil, false
		}
	}
	return labels, true
}

// The limits of Lambda for requests: with code, of an invocation, and of anything else.
const maxCodeRequest, maxPayload, maxRequest = 70 << 20, 6 << 20, 1 << 20

// ReadBody reads the body of a call.
func ReadBody(action string, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	switch action {
	case "CreateFunction", "UpdateFunctionCode":
		return wire.ReadBodyUpTo(w, r, maxCodeRequest)
	case "Invoke":
		body, err := wire.ReadBodyUpTo(w, r, maxPayload)
		if large, is := errors.AsType[*wire.Error](err); is && large.Status == http.StatusRequestEntityTooLarge {
			err = &wire.Error{Status: large.Status, Code: "RequestTooLargeException", Message: fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", maxPayload)}
		}
		return body, err
	}
	return wire.ReadBodyUpTo(w, r, maxRequest)
}

// Recorded returns a document as the journal has it: without code.
func Recorded(document map[string]any) map[string]any {
	recorded := maps.Clone(document)
	delete(recorded, "ZipFile")
	if code, is := document["Code"].(map[string]any); is {
		code = maps.Clone(code)
		delete(code, "ZipFile")
		recorded["Code"] = code
	}
	return recorded
}

// DocumentOf returns the members of the path, the query and the body of a request. The payload of an invocation has none.
func DocumentOf(action string, members map[string]any, body []byte) (map[string]any, error) {
	document := map[string]any{}
	if action != "Invoke" && len(body) > 0 {
		if err := json.Unmarshal(body, &document); err != nil {
			return nil, wire.BadRequest("SerializationException", "The body could not be read: %v", err)
		}
	}
	if document == nil { // null
		document = map[string]any{}
	}
	maps.Copy(document, members)
	return document, nil
}
