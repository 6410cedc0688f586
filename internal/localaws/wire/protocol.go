package wire

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

const (
	cloudWatchTarget = "GraniteServiceVersion20100801"
	cloudWatchPath   = "/service/" + cloudWatchTarget + "/operation/"
	// maxBytes is CloudWatch's limit for a request, which also applies after decompression.
	maxBytes = 1 << 20
)

// Protocol is how a call and its response are encoded. The Query protocol is that of ELB and STS, and with CloudWatch
// that of older SDKs and versions of the AWS CLI. Current SDKs use CBOR with CloudWatch, and the current AWS CLI JSON.
// Route 53 has XML documents and paths.
type Protocol struct {
	// Action is the API action of the request.
	Action      string
	contentType string
	rest        bool // a REST API, whose responses have a status, headers and the code of an error as a header
	decode      func(raw []byte) (any, error)
	encode      func(r Reply, id string) ([]byte, error)
}

// ProtocolOf reports whether a request is for CloudWatch in CBOR or JSON, based on its path and headers.
func ProtocolOf(r *http.Request) (Protocol, bool) {
	if action, ok := strings.CutPrefix(r.URL.Path, cloudWatchPath); ok && r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor" {
		return Protocol{Action: action, contentType: "application/cbor", decode: decodeCBOR, encode: func(r Reply, _ string) ([]byte, error) { return cbor.Marshal(r.document()) }}, true
	}
	if action, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), cloudWatchTarget+"."); ok {
		return Protocol{Action: action, contentType: "application/x-amz-json-1.0", decode: decodeJSON, encode: func(r Reply, _ string) ([]byte, error) { return json.Marshal(r.document()) }}, true
	}
	return Protocol{}, false
}

// QueryProtocol returns the Query protocol, with parameters in a form and responses in XML.
func QueryProtocol(service, action string) Protocol {
	encode := func(r Reply, id string) ([]byte, error) {
		if service == CloudWatch && r.failure == nil {
			answer, err := documentOf(r.result)
			if err != nil {
				return nil, err
			}
			r.result = xmlDocument{answer}
		}
		return xmlTarget{namespaces()[service], action, id}.encode(r)
	}
	return Protocol{Action: action, contentType: "text/xml", encode: encode}
}

// Decode decodes the parameters of a call in CBOR or JSON.
func (p Protocol) Decode(raw []byte) (any, error) {
	document, err := p.decode(raw)
	if err != nil {
		return nil, BadRequest("SerializationException", "The body could not be read: %v", err)
	}
	return document, nil
}

// Write sends a response. It returns an error if the result cannot be encoded.
func (p Protocol) Write(w http.ResponseWriter, r Reply) error {
	id := requestID()
	if _, is := r.result.(Page); is {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, pageText)
		return nil
	}
	cut, isCut := r.result.(Cut)
	if isCut {
		r.result = cut.Result
	}
	status := r.Status()
	if created, is := r.result.(Created); is {
		w.Header().Set("Location", created.Location)
		r.result = created.Result
	}
	var body []byte
	var err error
	if _, none := r.result.(NoBody); !none {
		body, err = p.encode(r, id)
	}
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return fmt.Errorf("encoding the response to %s: %w", p.Action, err)
	}
	header := w.Header()
	header.Set("Content-Type", p.contentType)
	header.Set("X-Amzn-Requestid", id)
	if p.contentType == "application/cbor" {
		header.Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	if p.rest && r.failure != nil {
		header.Set("X-Amzn-Errortype", r.failure.Code)
	}
	if answer, is := answerOf(r.result); is {
		for name, value := range answer.Header {
			header.Set(name, value)
		}
	}
	if r.failure != nil && !p.rest && p.contentType != "text/xml" {
		header.Set("X-Amzn-Query-Error", r.failure.Code+";"+r.failure.fault())
	}
	if isCut {
		header.Set("Content-Length", strconv.Itoa(len(body)))
		body = body[:len(body)/2]
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have disconnected
	if isCut {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // makes net/http close the connection
	}
	return nil
}

// Reply is the result of a call: an answer or a failure.
type Reply struct {
	result  any
	failure *Error
}

// NewReply returns the failure for an error, and otherwise the answer.
func NewReply(result any, err error) Reply {
	if err != nil {
		return Reply{failure: asError(err)}
	}
	return Reply{result: result}
}

// Status returns the HTTP status.
func (r Reply) Status() int {
	if r.failure != nil {
		return r.failure.Status
	}
	if _, is := r.result.(Created); is {
		return http.StatusCreated
	}
	if answer, is := answerOf(r.result); is {
		return answer.Status
	}
	return http.StatusOK
}

// ErrorCode returns the error code, "" for an answer.
func (r Reply) ErrorCode() string {
	if r.failure != nil {
		return r.failure.Code
	}
	return ""
}

// document returns the body of a CBOR or JSON response.
func (r Reply) document() any {
	if r.failure == nil {
		return r.result
	}
	return map[string]string{
		"__type":  "com.amazonaws.cloudwatch#" + cmp.Or(shapes()[r.failure.Code], r.failure.Code),
		"message": r.failure.Message,
	}
}

// documentOf returns the answer of CloudWatch as a document, with the member names of the API.
func documentOf(answer any) (any, error) {
	raw, err := cbor.Marshal(answer)
	if err != nil {
		return nil, err
	}
	return decodeCBOR(raw)
}

func decodeCBOR(raw []byte) (any, error) {
	if len(raw) == 0 {
		return map[string]any{}, nil
	}
	var out any
	if err := cbor.Unmarshal(raw, &out); err != nil {
		return nil, err
	}
	return stringKeys(out)
}

// stringKeys recursively converts maps with keys of any type into maps with string keys.
func stringKeys(v any) (any, error) {
	switch v := v.(type) {
	case map[any]any:
		out := map[string]any{}
		for key, value := range v {
			name, ok := key.(string)
			if !ok {
				return nil, fmt.Errorf("key %v is not a string", key)
			}
			var err error
			if out[name], err = stringKeys(value); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		for i := range v {
			var err error
			if v[i], err = stringKeys(v[i]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func decodeJSON(raw []byte) (any, error) {
	if len(raw) == 0 {
		return map[string]any{}, nil
	}
	var out any
	return out, json.Unmarshal(raw, &out)
}

// shapes returns the names of the typed SDK errors by error code.
func shapes() map[string]string {
	return map[string]string{
		"LimitExceeded":               "LimitExceededFault",
		"InvalidFormat":               "InvalidFormatFault",
		"InvalidParameterValue":       "InvalidParameterValueException",
		"InvalidParameterCombination": "InvalidParameterCombinationException",
		"MissingParameter":            "MissingRequiredParameterException",
	}
}

// requestID returns a random UUID, the form of AWS request IDs.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never returns an error
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
