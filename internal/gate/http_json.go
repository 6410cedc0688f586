package gate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/theory/jsonpath"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// JSONValue is what the values at a place of a JSON body must be. At least one value must be
// there, and each must be as expected.
type JSONValue struct {
	Path string // JSONPath (RFC 9535), such as "$.checks[*].status"; required
	// Min and Max are limits for numbers, both inclusive.
	Min, Max *float64
	// Equals is the value: the text of a string, a number, true, false or null. It excludes
	// limits. Exactly one of the two is required.
	Equals *string
}

// parsedValue is a JSONValue with its query.
type parsedValue struct {
	JSONValue
	query *jsonpath.Path
}

func (v JSONValue) limits() limits { return limits{v.Min, v.Max} }

// check returns what is wrong with the block of an index.
func (v JSONValue) check(index int) []*ArgumentError {
	var errs []*ArgumentError
	if _, err := jsonpath.Parse(v.Path); err != nil {
		errs = append(errs, invalid("path", "it is not a JSONPath of RFC 9535, such as $.status: %s", strings.TrimPrefix(err.Error(), "jsonpath: ")))
	}
	switch hasLimits := v.Min != nil || v.Max != nil; {
	case v.Equals != nil && hasLimits:
		errs = append(errs, invalid("equals", "min and max cannot be set with it"))
	case v.Equals == nil && !hasLimits:
		errs = append(errs, &ArgumentError{Argument: "path", Err: fmt.Errorf("%w with it: min, max or equals", ErrMissing)})
	case hasLimits:
		errs = append(errs, v.limits().check()...)
	}
	for _, err := range errs {
		err.Block, err.Index = "json", index
	}
	return errs
}

// parse returns the value with its query, which check found to be valid.
func (v JSONValue) parse() parsedValue { return parsedValue{v, jsonpath.MustParse(v.Path)} }

// expected describes the value.
func (v JSONValue) expected() string {
	if v.Equals != nil {
		return strconv.Quote(*v.Equals)
	}
	return "a number of " + v.limits().String()
}

// accepts reports whether a value of a body is as expected.
func (v JSONValue) accepts(value any) bool {
	if v.Equals != nil {
		return equalsText(value, *v.Equals)
	}
	number, is := value.(json.Number)
	return is && v.limits().excess(asFloat(number)) <= 0
}

// equalsText compares a scalar with its text. Numbers compare by value, whole ones in every digit.
func equalsText(value any, want string) bool {
	switch value := value.(type) {
	case nil:
		return want == "null"
	case bool:
		return want == strconv.FormatBool(value)
	case string:
		return want == value
	case json.Number:
		if got := value.String(); got == want || isWhole(got) && isWhole(want) {
			return got == want
		}
		number, err := strconv.ParseFloat(want, 64)
		return err == nil && number == asFloat(value)
	default:
		return false
	}
}

func isWhole(number string) bool {
	digits := strings.TrimPrefix(number, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// asFloat returns a number of a body; one that is too large is infinite.
func asFloat(number json.Number) float64 {
	value, err := strconv.ParseFloat(number.String(), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return math.NaN() // unreachable: the decoder checks numbers
	}
	return value
}

// compareJSON reports the first expectation about the JSON that a body does not meet.
func (g *httpGate) compareJSON(r response) sample {
	if len(g.values) == 0 {
		return sample{status: rollout.Pass}
	}
	if r.isCut {
		text := fmt.Sprintf("status %d, but the body is larger than 1 MiB, which is too large for json", r.status)
		return sample{status: rollout.Errored, kind: "size", text: text, err: errIncomplete}
	}
	body, err := decodeJSON(r.body)
	if err != nil {
		return failed("json", "status %d, but the body is not JSON: %s", r.status, g.mask.hide(err.Error()))
	}
	for _, v := range g.values {
		found := v.query.SelectLocated(body)
		if len(found) == 0 {
			return failed("json "+v.Path, "status %d, but the body has nothing at %s, expected %s", r.status, v.Path, v.expected())
		}
		for _, node := range found {
			if v.accepts(node.Node) {
				continue
			}
			at := v.Path
			if len(found) > 1 {
				at = oneLine(g.mask.hide(node.Path.String()))
			}
			return failed("json "+v.Path, "status %d, but %s is %s, expected %s", r.status, at, g.jsonText(node.Node), v.expected())
		}
	}
	return sample{status: rollout.Pass}
}

// decodeJSON decodes one JSON value.
func decodeJSON(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	switch err := decoder.Decode(&value); {
	case errors.Is(err, io.EOF):
		return nil, errors.New("it is empty")
	case err != nil:
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the first value")
	}
	return value, nil
}

// jsonText describes a value of a body.
func (g *httpGate) jsonText(value any) string {
	switch value := value.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return strconv.Quote(oneLine(g.mask.hide(value)))
	case nil:
		return "null"
	default:
		return oneLine(g.mask.hide(fmt.Sprint(value)))
	}
}
