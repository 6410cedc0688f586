package localalb

import (
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// bind copies a decoded document into the value that a pointer points to. Members that the value has no field
// for are ignored, as AWS ignores them; a member of the wrong kind is an error that names its place.
func bind(document, into any) error {
	return bindAt("", document, reflect.ValueOf(into).Elem())
}

func bindAt(at string, from any, into reflect.Value) error {
	if from == nil {
		return nil
	}
	if _, ok := into.Interface().(stamp); ok {
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
		return wrongKind(at, from, "a structure")
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

// memberName is what the API calls a field.
func memberName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return or(name, field.Name)
}

func bindList(at string, from any, into reflect.Value) error {
	members, ok := from.([]any)
	if from == "" {
		ok = true // how an empty list stands in a form
	}
	if !ok {
		return wrongKind(at, from, "a list")
	}
	into.Set(reflect.MakeSlice(into.Type(), len(members), len(members)))
	for i, member := range members {
		if err := bindAt(join(at, "member."+strconv.Itoa(i+1)), member, into.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// bindScalar takes texts for numbers and truth values too, since a form has nothing else.
func bindScalar(at string, from any, into reflect.Value) error {
	switch into.Kind() {
	case reflect.String:
		text, ok := from.(string)
		if !ok {
			return wrongKind(at, from, "a text")
		}
		into.SetString(text)
	case reflect.Bool:
		truth, err := strconv.ParseBool(fmt.Sprint(from))
		if err != nil {
			return wrongKind(at, from, "true or false")
		}
		into.SetBool(truth)
	case reflect.Float64, reflect.Int:
		n, ok := number(from)
		if !ok {
			return wrongKind(at, from, "a number")
		}
		if into.Kind() == reflect.Float64 {
			into.SetFloat(n)
			return nil
		}
		if n != math.Trunc(n) || math.Abs(n) > math.MaxInt32 {
			return wrongKind(at, from, "a whole number")
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

// bindTime takes a time as CBOR has it, seconds since 1970, or the text of a form.
func bindTime(at string, from any, into reflect.Value) error {
	if t, ok := from.(time.Time); ok {
		// A time comes as a float: it is exact to the millisecond and no finer.
		into.Set(reflect.ValueOf(stamp{t.Round(time.Millisecond).UTC()}))
		return nil
	}
	if text, ok := from.(string); ok {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return wrongKind(at, from, "a time such as 2006-01-02T15:04:05Z")
		}
		into.Set(reflect.ValueOf(stamp{t.UTC()}))
		return nil
	}
	seconds, ok := number(from)
	if !ok || math.Abs(seconds) > 1e11 {
		return wrongKind(at, from, "a time")
	}
	into.Set(reflect.ValueOf(stamp{time.UnixMilli(int64(math.Round(seconds * 1e3))).UTC()}))
	return nil
}

func wrongKind(at string, from any, wanted string) error {
	return refuse("SerializationException", "The value %v at '%s' is not %s", from, at, wanted)
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// flatten writes a document as the parameters of a form, so that the journal and the faults see every call in
// one way: AlarmNames.member.1, MetricDataQueries.member.1.MetricStat.Stat.
func flatten(at string, from any, into url.Values) {
	switch v := from.(type) {
	case map[string]any:
		for name, member := range v {
			flatten(join(at, name), member, into)
		}
	case []any:
		for i, member := range v {
			flatten(join(at, "member."+strconv.Itoa(i+1)), member, into)
		}
	case time.Time:
		into.Set(at, v.UTC().Round(time.Millisecond).Format(time.RFC3339Nano))
	case nil:
	default:
		into.Set(at, fmt.Sprint(v))
	}
}
