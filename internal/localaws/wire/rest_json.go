package wire

import (
	"encoding/json"
	"net/http"
)

// Lambda is the IAM prefix of AWS Lambda.
const Lambda = "lambda"

// Answer is the result of a call to a REST API whose response is more than a JSON body with status 200.
type Answer struct {
	Status int
	Header map[string]string
	Result any
	Raw    []byte // the body as it is, in place of Result
}

// JSONProtocol returns the protocol of a REST API with JSON in both directions.
func JSONProtocol(action string) Protocol {
	return Protocol{Action: action, contentType: "application/json", rest: true, encode: func(r Reply, _ string) ([]byte, error) {
		if r.failure != nil {
			return json.Marshal(r.failure.restDocument())
		}
		answer, is := r.result.(Answer)
		switch {
		case is && answer.Raw != nil:
			return answer.Raw, nil
		case is && answer.Result == nil:
			return nil, nil
		case is:
			return json.Marshal(answer.Result)
		}
		return json.Marshal(r.result)
	}}
}

// restDocument is an error as Lambda sends it, which spells the member of the message in two ways.
func (e *Error) restDocument() map[string]string {
	kind, member := "User", "message"
	if e.Status >= http.StatusInternalServerError {
		kind = "Service"
	}
	if e.Code == "ResourceNotFoundException" || e.Code == "ServiceException" {
		member = "Message"
	}
	return map[string]string{"Type": kind, member: e.Message}
}

// answerOf returns the Answer in a result, also in one that is cut.
func answerOf(result any) (Answer, bool) {
	if cut, is := result.(Cut); is {
		result = cut.Result
	}
	answer, is := result.(Answer)
	return answer, is
}
