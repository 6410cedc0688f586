package wire

import (
	"encoding/xml"
	"maps"
	"slices"
	"time"
)

// namespaces returns the XML namespaces of the services.
func namespaces() map[string]string {
	return map[string]string{
		ELB:        "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
		CloudWatch: "http://monitoring.amazonaws.com/doc/2010-08-01/",
		STS:        "https://sts.amazonaws.com/doc/2011-06-15/",
		Route53:    "https://route53.amazonaws.com/doc/2013-04-01/",
	}
}

// xmlTarget is what an XML document says about the call that it is the response to.
type xmlTarget struct{ namespace, action, id string }

func (t xmlTarget) encode(r Reply) ([]byte, error) {
	if r.failure != nil {
		return t.encodeError(r.failure)
	}
	return t.encodeResult(r.result)
}

func (t xmlTarget) encodeResult(result any) ([]byte, error) {
	var doc struct {
		XMLName  xml.Name
		Space    string `xml:"xmlns,attr"`
		Result   wrapped
		Metadata struct {
			RequestID string `xml:"RequestId"`
		} `xml:"ResponseMetadata"`
	}
	doc.XMLName.Local = t.action + "Response"
	doc.Space = t.namespace
	doc.Result = wrapped{name: t.action + "Result", value: result}
	doc.Metadata.RequestID = t.id
	return xml.Marshal(doc)
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

func (t xmlTarget) encodeError(failure *Error) ([]byte, error) {
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
	doc.Space = t.namespace
	doc.Error = detail{Type: failure.fault(), Code: failure.Code, Message: failure.Message}
	doc.RequestID = t.id
	return xml.Marshal(doc)
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
