package localalb

import (
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

const (
	cloudWatchVersion      = "2010-08-01"
	cloudWatchTarget       = "GraniteServiceVersion20100801"
	cloudWatchPath         = "/service/" + cloudWatchTarget + "/operation/"
	cloudWatchXMLNamespace = "http://monitoring.amazonaws.com/doc/2010-08-01/"
	// maxMetricBytes is CloudWatch's limit for a request, which also applies after decompression.
	maxMetricBytes = 1 << 20
)

// protocol is a protocol of CloudWatch. Current SDKs use CBOR, the current AWS CLI JSON, and older versions of both
// the Query protocol.
type protocol struct {
	contentType string
	action      string // of the request
	decode      func(raw []byte) (any, error)
	encode      func(reply) ([]byte, error)
}

// reply is the result of a call: an answer or a failure.
type reply struct {
	action, id string
	result     any
	failure    *apiError
}

// document returns the body of a CBOR or JSON response.
func (r reply) document() any {
	if r.failure == nil {
		return r.result
	}
	return map[string]string{
		"__type":  "com.amazonaws.cloudwatch#" + cmp.Or(shapes()[r.failure.code], r.failure.code),
		"message": r.failure.message,
	}
}

// queryError returns the header that carries the Query API error code in other protocols.
func (r reply) queryError() string {
	if r.failure.status >= http.StatusInternalServerError {
		return r.failure.code + ";Receiver"
	}
	return r.failure.code + ";Sender"
}

// protocolOf reports whether a request is for CloudWatch in CBOR or JSON, based on its path and headers.
func protocolOf(r *http.Request) (protocol, bool) {
	if action, ok := strings.CutPrefix(r.URL.Path, cloudWatchPath); ok && r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor" {
		return protocol{contentType: "application/cbor", action: action, decode: decodeCBOR, encode: func(r reply) ([]byte, error) { return cbor.Marshal(r.document()) }}, true
	}
	if action, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), cloudWatchTarget+"."); ok {
		return protocol{contentType: "application/x-amz-json-1.0", action: action, decode: decodeJSON, encode: func(r reply) ([]byte, error) { return json.Marshal(r.document()) }}, true
	}
	return protocol{}, false
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

// readBody reads a body and decompresses it if needed: the SDKs compress large PutMetricData requests.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var body io.Reader = http.MaxBytesReader(w, r.Body, maxMetricBytes)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return nil, badRequest("SerializationException", "The body is not in the gzip format that its header promises: %v", err)
		}
		body = unpacked
	}
	raw, err := io.ReadAll(io.LimitReader(body, maxMetricBytes+1))
	if _, large := errors.AsType[*http.MaxBytesError](err); large || len(raw) > maxMetricBytes {
		return nil, &apiError{status: http.StatusRequestEntityTooLarge, code: "RequestEntityTooLarge", message: fmt.Sprintf("The request is larger than %d bytes", maxMetricBytes)}
	}
	if err != nil {
		return nil, badRequest("SerializationException", "The request could not be read: %v", err)
	}
	return raw, nil
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

// stamp is a CloudWatch timestamp: seconds since the Unix epoch with millisecond precision.
type stamp struct{ time.Time }

func stampOf(seconds int64) stamp { return stamp{time.Unix(seconds, 0).UTC()} }

func (s stamp) seconds() float64 { return float64(s.UnixMilli()) / 1e3 }

// MarshalCBOR encodes the time as tag 1 with a float.
func (s stamp) MarshalCBOR() ([]byte, error) {
	return binary.BigEndian.AppendUint64([]byte{0xc1, 0xfb}, math.Float64bits(s.seconds())), nil
}

// MarshalJSON encodes the time as a number of seconds.
func (s stamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, s.seconds(), 'f', -1, 64), nil
}
