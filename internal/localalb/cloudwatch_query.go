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

// queryProtocol returns the Query protocol with XML responses. Older versions of the AWS CLI and SDKs use it with
// CloudWatch.
func queryProtocol(action string) protocol {
	return protocol{contentType: "text/xml", action: action, encode: encodeQuery}
}

// unflatten decodes form parameters into a document. It is the inverse of flatten, except that all values are strings.
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
				return nil, badRequest("MalformedQueryString", "The parameter %s is inside of one that has a value", key)
			}
			at = inner
		}
		last := names[len(names)-1]
		if at[last] != nil {
			return nil, badRequest("MalformedQueryString", "The parameter %s has a value and others inside of it", key)
		}
		at[last] = values[0]
	}
	return collapseLists(root), nil
}

// collapseLists recursively converts structures with only numbered members into lists.
func collapseLists(v any) any {
	members, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for name, member := range members {
		members[name] = collapseLists(member)
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
	m, _ := strconv.Atoi(a) // an invalid number sorts first
	n, _ := strconv.Atoi(b)
	return m - n
}

func encodeQuery(r reply) ([]byte, error) {
	if r.failure != nil {
		return encodeError(cloudWatchXMLNamespace, r.id, r.failure)
	}
	raw, err := cbor.Marshal(r.result)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer to %s: %w", r.action, err)
	}
	document, err := decodeCBOR(raw)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer to %s: %w", r.action, err)
	}
	return encodeResult(cloudWatchXMLNamespace, r.action, r.id, xmlDocument{document})
}

// xmlDocument encodes a document as XML, with members in alphabetical order.
type xmlDocument struct{ value any }

// MarshalXML encodes the document under the given element name.
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

func enclose(e *xml.Encoder, start xml.StartElement, content func() error) error {
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	if err := content(); err != nil {
		return err
	}
	return e.EncodeToken(start.End())
}
