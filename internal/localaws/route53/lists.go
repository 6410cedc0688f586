package route53

import "encoding/xml"

// The lists of responses that have no element when they are empty.
type (
	recordValues []record
	regions      []string
	childChecks  []string
	vpcs         []vpc
)

// MarshalXML encodes the records of a record set. An alias has none.
func (l recordValues) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return encodeList(e, start, "ResourceRecord", l)
}

// MarshalXML encodes the regions of a health check.
func (l regions) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return encodeList(e, start, "Region", l)
}

// MarshalXML encodes the children of a health check.
func (l childChecks) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return encodeList(e, start, "ChildHealthCheck", l)
}

// MarshalXML encodes the VPCs of a private zone.
func (l vpcs) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return encodeList(e, start, "VPC", l)
}

// encodeList encodes members as elements with the given name inside of the list, and nothing without members.
func encodeList[T any](e *xml.Encoder, list xml.StartElement, name string, members []T) error {
	if len(members) == 0 {
		return nil
	}
	if err := e.EncodeToken(list); err != nil {
		return err
	}
	for _, member := range members {
		if err := e.EncodeElement(member, xml.StartElement{Name: xml.Name{Local: name}}); err != nil {
			return err
		}
	}
	return e.EncodeToken(list.End())
}
