package localalb

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
)

const namespace = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"

// apiError is an error as the API answers it.
type apiError struct {
	status  int
	code    string
	message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// refuse is an error that the caller made, with the code that the SDK turns into a type.
func refuse(code, format string, args ...any) error {
	return &apiError{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...)}
}

// invalid is the error for a parameter that cannot be right whatever the balancer holds.
func invalid(format string, args ...any) error {
	return refuse("ValidationError", format, args...)
}

// list is a list in an answer. Unlike a bare slice it stands in the XML when it is empty, as AWS has it.
type list[T any] struct {
	Members []T `xml:"member"`
}

// listOf wraps members, nil for none, for the lists that AWS leaves out when they are empty.
func listOf[T any](members []T) *list[T] {
	if len(members) == 0 {
		return nil
	}
	return &list[T]{Members: members}
}

// pair is an entry of a map, both in requests and in answers.
type pair struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// empty is the result of an action that returns nothing.
type empty struct{}

type metadata struct {
	RequestID string `xml:"RequestId"`
}

// encodeResult makes the document of a call that succeeded.
func encodeResult(space, action, requestID string, result any) ([]byte, error) {
	var doc struct {
		XMLName  xml.Name
		Space    string `xml:"xmlns,attr"`
		Result   wrapped
		Metadata metadata `xml:"ResponseMetadata"`
	}
	doc.XMLName.Local = action + "Response"
	doc.Space = space
	doc.Result = wrapped{name: action + "Result", value: result}
	doc.Metadata.RequestID = requestID
	body, err := xml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer to %s: %w", action, err)
	}
	return body, nil
}

// wrapped marshals a value under a name that is known only at run time.
type wrapped struct {
	name  string
	value any
}

// MarshalXML writes the value as the element that its name asks for.
func (w wrapped) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	return e.EncodeElement(w.value, xml.StartElement{Name: xml.Name{Local: w.name}})
}

// encodeError makes the document of a call that failed.
func encodeError(space, requestID string, failure *apiError) ([]byte, error) {
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
	doc.Space = space
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

// asAPIError turns any error into one that can be answered. What is not the caller's fault is a 500.
func asAPIError(err error) *apiError {
	if known, ok := errors.AsType[*apiError](err); ok {
		return known
	}
	return &apiError{status: http.StatusInternalServerError, code: "InternalFailure", message: err.Error()}
}
