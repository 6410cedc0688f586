package localalb

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// queryDialect is the form that Elastic Load Balancing takes too, with answers in XML. Command lines and SDKs of
// some years ago speak it to CloudWatch.
func queryDialect(action string) dialect {
	return dialect{contentType: "text/xml", action: action, encode: encodeQuery}
}

// unflatten makes a document of the parameters of a form: the opposite of flatten, but every value is a text.
func unflatten(form url.Values) (any, error) {
	root := map[string]any{}
	for key, values := range form {
		if key == "Action" || key == "Version" || len(values) == 0 {
			continue
		}
		at, names := root, strings.Split(key, ".")
		for _, name := range names[:len(names)-1] {
			if at[name] == nil {
				at[name] = map[string]any{}
			}
			inner, ok := at[name].(map[string]any)
			if !ok {
				return nil, refuse("MalformedQueryString", "The parameter %s is inside of one that has a value", key)
			}
			at = inner
		}
		last := names[len(names)-1]
		if at[last] != nil {
			return nil, refuse("MalformedQueryString", "The parameter %s has a value and others inside of it", key)
		}
		at[last] = values[0]
	}
	return numbered(root), nil
}

// numbered turns structures that hold nothing but numbered members into lists, all the way down.
func numbered(v any) any {
	members, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for name, member := range members {
		members[name] = numbered(member)
	}
	inner, ok := members["member"].(map[string]any)
	if !ok || len(members) > 1 {
		return members
	}
	list := []any{}
	for _, name := range slices.SortedFunc(maps.Keys(inner), byNumber) {
		list = append(list, inner[name])
	}
	return list
}

func byNumber(a, b string) int {
	m, _ := strconv.Atoi(a) // what is no number comes first
	n, _ := strconv.Atoi(b)
	return m - n
}

func encodeQuery(r reply) ([]byte, error) {
	if r.failure != nil {
		return encodeError(cloudWatchSpace, r.id, r.failure)
	}
	raw, err := cbor.Marshal(r.answer)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer to %s: %w", r.action, err)
	}
	document, err := decodeCBOR(raw)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer to %s: %w", r.action, err)
	}
	return encodeResult(cloudWatchSpace, r.action, r.id, xmlDocument{document})
}

// xmlDocument is a decoded document as XML: members as elements in the order of their names.
type xmlDocument struct{ value any }

// MarshalXML writes the document under the name that it is given.
func (d xmlDocument) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	switch v := d.value.(type) {
	case time.Time:
		return e.EncodeElement(v.UTC().Round(time.Millisecond).Format("2006-01-02T15:04:05.000Z"), start)
	case map[string]any:
		return enclose(e, start, func() error {
			for _, name := range slices.Sorted(maps.Keys(v)) {
				if err := (xmlDocument{v[name]}).MarshalXML(e, xml.StartElement{Name: xml.Name{Local: name}}); err != nil {
					return err
				}
			}
			return nil
		})
	case []any:
		return enclose(e, start, func() error {
			for _, member := range v {
				if err := (xmlDocument{member}).MarshalXML(e, xml.StartElement{Name: xml.Name{Local: "member"}}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return e.EncodeElement(d.value, start)
}

func enclose(e *xml.Encoder, start xml.StartElement, inside func() error) error {
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	if err := inside(); err != nil {
		return err
	}
	return e.EncodeToken(start.End())
}
