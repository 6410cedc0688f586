package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
)

// restPrefix is the version of the Route 53 API, with which all its paths begin.
const restPrefix = "/2013-04-01/"

// RESTPath returns the path of a request to Route 53 behind the version of the API. It reports false for other requests.
func RESTPath(r *http.Request) (string, bool) {
	path, ok := strings.CutPrefix(r.URL.Path, restPrefix)
	return strings.Trim(path, "/"), ok
}

// RESTProtocol returns the protocol of Route 53, with parameters in the path, the query and an XML document, and responses in XML.
func RESTProtocol(action string) Protocol {
	return Protocol{Action: action, contentType: "text/xml", encode: func(r Reply, id string) ([]byte, error) {
		if r.failure != nil {
			return xmlTarget{namespaces()[Route53], action, id}.encodeError(r.failure)
		}
		return encodeREST(action, r.result)
	}}
}

// encodeREST encodes a result as the root element of a document.
func encodeREST(action string, result any) ([]byte, error) {
	var body bytes.Buffer
	body.WriteString(xml.Header)
	root := xml.StartElement{
		Name: xml.Name{Local: action + "Response"},
		Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: namespaces()[Route53]}},
	}
	err := xml.NewEncoder(&body).EncodeElement(result, root)
	return body.Bytes(), err
}

// Created is the result of a call that created a resource: the response has the status 201 and the header Location.
type Created struct {
	Location string
	Result   any
}

// DecodeXML decodes the body of a request into a document. isList says of an element, by its name, that its children
// are the members of a list. An empty body is an empty document.
func DecodeXML(raw []byte, isList func(element string) bool) (map[string]any, error) {
	decoder := xml.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return map[string]any{}, nil
		}
		if err != nil {
			return nil, err
		}
		if _, ok := token.(xml.StartElement); !ok {
			continue
		}
		content, err := xmlContent(decoder, false, isList)
		if err != nil {
			return nil, err
		}
		if document, ok := content.(map[string]any); ok {
			return document, nil
		}
		return map[string]any{}, nil
	}
}

// xmlContent decodes what is inside of an element: a list, a structure or a text.
func xmlContent(decoder *xml.Decoder, list bool, isList func(string) bool) (any, error) {
	members, items := map[string]any{}, []any{}
	var text strings.Builder
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.CharData:
			text.Write(token)
		case xml.StartElement:
			name := token.Name.Local
			content, err := xmlContent(decoder, isList(name), isList)
			if err != nil {
				return nil, err
			}
			members[name] = content
			items = append(items, content)
		case xml.EndElement:
			switch {
			case list:
				return items, nil
			case len(members) > 0:
				return members, nil
			}
			return text.String(), nil
		}
	}
}
