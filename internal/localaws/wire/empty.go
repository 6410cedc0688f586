package wire

import "reflect"

// NoBody is the result of a call whose response has no body, not even the elements around an empty result.
type NoBody struct{}

// Page is the result of a call that somebody else than the service answers: a proxy, with a page.
type Page struct{}

// pageText is its body.
const pageText = "<!DOCTYPE html>\n<html><head><title>Please sign in</title></head><body></body></html>\n"

// Cut is the result of a call whose connection ends in the middle of the response.
type Cut struct{ Result any }

// WithoutContent returns a result of the same type without values: its lists are there and empty.
func WithoutContent(result any) any {
	if result == nil {
		return nil
	}
	if answer, is := result.(Answer); is {
		answer.Result = WithoutContent(answer.Result)
		return answer
	}
	out := reflect.New(reflect.TypeOf(result)).Elem()
	if out.Kind() != reflect.Struct {
		return out.Interface()
	}
	for _, field := range out.Fields() {
		if field.Kind() == reflect.Slice && field.CanSet() {
			field.Set(reflect.MakeSlice(field.Type(), 0, 0)) // nil would not be encoded as a list
		}
	}
	return out.Interface()
}
