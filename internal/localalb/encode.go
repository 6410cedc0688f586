package localalb

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
)

const elbXMLNamespace = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"

// apiError is an error response of the API.
type apiError struct {
	status  int
	code    string
	message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// badRequest returns a client error with an error code, which the SDKs map to an error type.
func badRequest(code, format string, args ...any) error {
	return &apiError{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...)}
}

// validationError returns the error for a parameter that is invalid in any state of the server.
func validationError(format string, args ...any) error {
	return badRequest("ValidationError", format, args...)
}

// list is a list in a response. Unlike a slice, it is encoded as an element even when empty, as by AWS.
type list[T any] struct {
	Members []T `xml:"member"`
}

// listOf returns a list, nil without members, for the lists that AWS omits when they are empty.
func listOf[T any](members []T) *list[T] {
	if len(members) == 0 {
		return nil
	}
	return &list[T]{Members: members}
}

// members returns the members of a list, none for nil.
func (l *list[T]) members() []T {
	if l == nil {
		return nil
	}
	return l.Members
}

// pair is an entry of a map in a request or response.
type pair struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// empty is the result of an action without result fields.
type empty struct{}

type metadata struct {
	RequestID string `xml:"RequestId"`
}

// encodeResult encodes the response of a successful call.
func encodeResult(xmlns, action, requestID string, result any) ([]byte, error) {
	var doc struct {
		XMLName  xml.Name
		Space    string `xml:"xmlns,attr"`
		Result   wrapped
		Metadata metadata `xml:"ResponseMetadata"`
	}
	doc.XMLName.Local = action + "Response"
	doc.Space = xmlns
	doc.Result = wrapped{name: action + "Result", value: result}
	doc.Metadata.RequestID = requestID
	body, err := xml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encoding the response to %s: %w", action, err)
	}
	return body, nil
}

// wrapped encodes a value under an element name that is known only at run time.
type wrapped struct {
	name  string
	value any
}

// MarshalXML encodes the value as an element with the name of w.
func (w wrapped) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	return e.EncodeElement(w.value, xml.StartElement{Name: xml.Name{Local: w.name}})
}

// encodeError encodes the response of a failed call.
func encodeError(xmlns, requestID string, failure *apiError) ([]byte, error) {
	type detail struct {
		Type    string
		Code    string
		Message string
	}
	var doc struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Space     string   `xml:"xmlns,attr"`
		Error     detail
		RequestID string `xml:"RequestId"`
	}
	doc.Space = xmlns
	doc.Error = detail{Type: "Sender", Code: failure.code, Message: failure.message}
	if failure.status >= http.StatusInternalServerError {
		doc.Error.Type = "Receiver"
	}
	doc.RequestID = requestID
	body, err := xml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encoding error %s: %w", failure.code, err)
	}
	return body, nil
}

// asAPIError converts any error to an API error. An error of another type becomes a 500.
func asAPIError(err error) *apiError {
	if known, ok := errors.AsType[*apiError](err); ok {
		return known
	}
	return &apiError{status: http.StatusInternalServerError, code: "InternalFailure", message: err.Error()}
}
