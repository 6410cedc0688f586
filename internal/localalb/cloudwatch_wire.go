package localalb

import (
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
	cloudWatchVersion = "2010-08-01"
	cloudWatchTarget  = "GraniteServiceVersion20100801"
	cloudWatchPath    = "/service/" + cloudWatchTarget + "/operation/"
	cloudWatchSpace   = "http://monitoring.amazonaws.com/doc/2010-08-01/"
	// maxMetricBytes is the limit that CloudWatch sets to a request, which holds after it is unpacked too.
	maxMetricBytes = 1 << 20
)

// dialect is one of the ways to speak to CloudWatch. Recent SDKs speak CBOR, recent command lines JSON, older
// ones of both the form that Elastic Load Balancing takes.
type dialect struct {
	contentType string
	action      string // that the request asks for
	decode      func(raw []byte) (any, error)
	encode      func(reply) ([]byte, error)
}

// reply is what a call is answered with: an answer, or a failure.
type reply struct {
	action, id string
	answer     any
	failure    *apiError
}

// document is what stands in the body of a reply in CBOR and JSON.
func (r reply) document() any {
	if r.failure == nil {
		return r.answer
	}
	return map[string]string{
		"__type":  "com.amazonaws.cloudwatch#" + or(shapes()[r.failure.code], r.failure.code),
		"message": r.failure.message,
	}
}

// queryError is the header that tells the code of a failure to callers that know the codes of the Query API.
func (r reply) queryError() string {
	if r.failure.status >= http.StatusInternalServerError {
		return r.failure.code + ";Receiver"
	}
	return r.failure.code + ";Sender"
}

// dialectOf tells whether a request is for CloudWatch, by its path and headers alone.
func dialectOf(r *http.Request) (dialect, bool) {
	if action, ok := strings.CutPrefix(r.URL.Path, cloudWatchPath); ok && r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor" {
		return dialect{contentType: "application/cbor", action: action, decode: decodeCBOR, encode: func(r reply) ([]byte, error) { return cbor.Marshal(r.document()) }}, true
	}
	if action, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), cloudWatchTarget+"."); ok {
		return dialect{contentType: "application/x-amz-json-1.0", action: action, decode: decodeJSON, encode: func(r reply) ([]byte, error) { return json.Marshal(r.document()) }}, true
	}
	return dialect{}, false
}

func decodeCBOR(raw []byte) (any, error) {
	if len(raw) == 0 {
		return map[string]any{}, nil
	}
	var out any
	if err := cbor.Unmarshal(raw, &out); err != nil {
		return nil, err
	}
	return named(out)
}

// named turns maps with keys of any type into maps with names, all the way down.
func named(v any) (any, error) {
	switch v := v.(type) {
	case map[any]any:
		out := map[string]any{}
		for key, value := range v {
			name, ok := key.(string)
			if !ok {
				return nil, fmt.Errorf("a member is named %v, which is not a text", key)
			}
			var err error
			if out[name], err = named(value); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		for i := range v {
			var err error
			if v[i], err = named(v[i]); err != nil {
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

// readPacked reads a body, unpacked if it came packed: the SDKs pack large PutMetricData requests.
func readPacked(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var body io.Reader = http.MaxBytesReader(w, r.Body, maxMetricBytes)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return nil, refuse("SerializationException", "The body is not in the gzip format that its header promises: %v", err)
		}
		body = unpacked
	}
	raw, err := io.ReadAll(io.LimitReader(body, maxMetricBytes+1))
	if _, large := errors.AsType[*http.MaxBytesError](err); large || len(raw) > maxMetricBytes {
		return nil, &apiError{status: http.StatusRequestEntityTooLarge, code: "RequestEntityTooLarge", message: fmt.Sprintf("The request is larger than %d bytes", maxMetricBytes)}
	}
	if err != nil {
		return nil, refuse("SerializationException", "The request could not be read: %v", err)
	}
	return raw, nil
}

// shapes names the errors that have a type in the SDKs, by their code.
func shapes() map[string]string {
	return map[string]string{
		"LimitExceeded":               "LimitExceededFault",
		"InvalidFormat":               "InvalidFormatFault",
		"InvalidParameterValue":       "InvalidParameterValueException",
		"InvalidParameterCombination": "InvalidParameterCombinationException",
		"MissingParameter":            "MissingRequiredParameterException",
	}
}

// stamp is a time as CloudWatch writes it: seconds since 1970, in milliseconds at the finest.
type stamp struct{ time.Time }

func stampOf(seconds int64) stamp { return stamp{time.Unix(seconds, 0).UTC()} }

func (s stamp) seconds() float64 { return float64(s.UnixMilli()) / 1e3 }

// MarshalCBOR writes tag 1 and a number with a fraction.
func (s stamp) MarshalCBOR() ([]byte, error) {
	return binary.BigEndian.AppendUint64([]byte{0xc1, 0xfb}, math.Float64bits(s.seconds())), nil
}

// MarshalJSON writes a number.
func (s stamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, s.seconds(), 'f', -1, 64), nil
}
