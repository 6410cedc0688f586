package wire_test

import (
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

func isList(element string) bool { return element == "Items" }

func TestDecodeXML(t *testing.T) {
	for text, want := range map[string]map[string]any{
		"": {},
		`<?xml version="1.0"?><A xmlns="urn:x"><B>1 &amp; 2</B><Items><Item><C>x</C></Item><Item>y</Item></Items><Empty/></A>`: {
			"B": "1 & 2", "Empty": "", "Items": []any{map[string]any{"C": "x"}, "y"},
		},
		"<A><Items></Items></A>": {"Items": []any{}},
		"<A>text</A>":            {},
	} {
		got, err := wire.DecodeXML([]byte(text), isList)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"<A>", "<A><B></A>", "<", "<A>&x;</A>"} {
		if got, err := wire.DecodeXML([]byte(text), isList); err == nil {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

// Whatever the body is, it is decoded or rejected.
func FuzzDecodeXML(f *testing.F) {
	f.Add("<A><Items><Item>1</Item></Items></A>")
	f.Add("<A><B")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := wire.DecodeXML([]byte(text), isList); err == nil && got == nil {
			t.Error("no document and no error")
		}
	})
}

func TestRESTProtocol_created(t *testing.T) {
	type result struct{ Name string }
	w := httptest.NewRecorder()
	reply := wire.NewReply(wire.Created{Location: "https://example.com/1", Result: result{"a"}}, nil)
	if err := wire.RESTProtocol("CreateThing").Write(w, reply); err != nil {
		t.Fatal(err)
	}
	want := `<CreateThingResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Name>a</Name></CreateThingResponse>`
	if w.Code != 201 || reply.Status() != 201 || w.Header().Get("Location") != "https://example.com/1" || !strings.HasSuffix(w.Body.String(), want) {
		t.Errorf("got %d, %v, %s", w.Code, w.Header(), w.Body)
	}
}
