package wire

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Bind decodes a document into the value that a pointer points to. Like AWS, it ignores unknown members. A
// member of the wrong type is an error that names its path.
func Bind(document, into any) error {
	return bindAt("", document, reflect.ValueOf(into).Elem())
}

func bindAt(at string, from any, into reflect.Value) error {
	if from == nil {
		return nil
	}
	if _, ok := into.Interface().(Stamp); ok {
		return bindTime(at, from, into)
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return bindAt(at, from, into.Elem())
	case reflect.Struct:
		return bindStruct(at, from, into)
	case reflect.Slice:
		return bindList(at, from, into)
	case reflect.Interface:
		into.Set(reflect.ValueOf(from))
		return nil
	}
	return bindScalar(at, from, into)
}

func bindStruct(at string, from any, into reflect.Value) error {
	members, ok := from.(map[string]any)
	if !ok {
		return wrongType(at, from, "a structure")
	}
	for i := range into.NumField() {
		field := into.Type().Field(i)
		if field.Anonymous {
			if err := bindStruct(at, from, into.Field(i)); err != nil {
				return err
			}
			continue
		}
		name := memberName(field)
		if err := bindAt(join(at, name), members[name], into.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

// memberName returns the API name of a field.
func memberName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return cmp.Or(name, field.Name)
}

func bindList(at string, from any, into reflect.Value) error {
	members, ok := from.([]any)
	if from == "" {
		ok = true // the form encoding of an empty list
	}
	if !ok {
		return wrongType(at, from, "a list")
	}
	into.Set(reflect.MakeSlice(into.Type(), len(members), len(members)))
	for i, member := range members {
		if err := bindAt(join(at, "member."+strconv.Itoa(i+1)), member, into.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// bindScalar also accepts strings for numbers and Booleans, because a form has no other type.
func bindScalar(at string, from any, into reflect.Value) error {
	switch into.Kind() {
	case reflect.String:
		text, ok := from.(string)
		if !ok {
			return wrongType(at, from, "a text")
		}
		into.SetString(text)
	case reflect.Bool:
		truth, err := strconv.ParseBool(fmt.Sprint(from))
		if err != nil {
			return wrongType(at, from, "true or false")
		}
		into.SetBool(truth)
	case reflect.Float64, reflect.Int:
		n, ok := number(from)
		if !ok {
			return wrongType(at, from, "a number")
		}
		if into.Kind() == reflect.Float64 {
			into.SetFloat(n)
			return nil
		}
		if n != math.Trunc(n) || math.Abs(n) > math.MaxInt32 {
			return wrongType(at, from, "a whole number")
		}
		into.SetInt(int64(n))
	}
	return nil
}

func number(from any) (float64, bool) {
	switch n := from.(type) {
	case float64:
		return n, true
	case float32:
		return float64(n), true
	case uint64:
		return float64(n), true
	case int64:
		return float64(n), true
	case string:
		f, err := strconv.ParseFloat(n, 64)
		return f, err == nil
	}
	return 0, false
}

// bindTime accepts seconds since the Unix epoch, as in CBOR, or the RFC 3339 string of a form.
func bindTime(at string, from any, into reflect.Value) error {
	if t, ok := from.(time.Time); ok {
		// CBOR encodes a time as a float, which is exact to the millisecond only.
		into.Set(reflect.ValueOf(Stamp{Time: t.Round(time.Millisecond).UTC()}))
		return nil
	}
	if text, ok := from.(string); ok {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return wrongType(at, from, "a time such as 2006-01-02T15:04:05Z")
		}
		into.Set(reflect.ValueOf(Stamp{Time: t.UTC()}))
		return nil
	}
	seconds, ok := number(from)
	if !ok || math.Abs(seconds) > 1e11 {
		return wrongType(at, from, "a time")
	}
	into.Set(reflect.ValueOf(Stamp{Time: time.UnixMilli(int64(math.Round(seconds * 1e3))).UTC()}))
	return nil
}

func wrongType(at string, from any, expected string) error {
	return BadRequest("SerializationException", "The value %v at '%s' is not %s", from, at, expected)
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}
