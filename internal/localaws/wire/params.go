package wire

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Params reads the parameters of a Query API request, or of one structure in it. A list is encoded as
// Name.member.1, a structure as Name.Field.
type Params struct {
	values url.Values
	prefix string
}

// NewParams returns the parameters of a request.
func NewParams(form url.Values) Params { return Params{values: form} }

// Text returns the value of a parameter, "" if it is missing.
func (p Params) Text(name string) string {
	return p.values.Get(p.prefix + name)
}

// Has reports whether the parameter, or any parameter below it, was sent.
func (p Params) Has(name string) bool {
	key := p.prefix + name
	if _, ok := p.values[key]; ok {
		return true
	}
	for k := range p.values {
		if strings.HasPrefix(k, key+".") {
			return true
		}
	}
	return false
}

// Optional returns the value of a parameter, nil if it was not sent.
func (p Params) Optional(name string) *string {
	if v, ok := p.values[p.prefix+name]; ok && len(v) > 0 {
		return &v[0]
	}
	return nil
}

// Structure returns the fields of a structure and reports whether any was sent.
func (p Params) Structure(name string) (Params, bool) {
	return Params{values: p.values, prefix: p.prefix + name + "."}, p.Has(name)
}

// List returns the members of a list of scalars, in the order of their indexes.
func (p Params) List(name string) []string {
	var out []string
	for _, n := range p.members(name, "member") {
		out = append(out, p.values.Get(p.prefix+name+".member."+strconv.Itoa(n)))
	}
	return out
}

// Structs returns the members of a list of structures, in the order of their indexes.
func (p Params) Structs(name string) []Params {
	var out []Params
	for _, n := range p.members(name, "member") {
		out = append(out, Params{values: p.values, prefix: p.prefix + name + ".member." + strconv.Itoa(n) + "."})
	}
	return out
}

// Pairs returns the entries of a map parameter, in the order of their indexes.
func (p Params) Pairs(name string) []Pair {
	var out []Pair
	for _, n := range p.members(name, "entry") {
		at := p.prefix + name + ".entry." + strconv.Itoa(n) + "."
		out = append(out, Pair{Key: p.values.Get(at + "key"), Value: p.values.Get(at + "value")})
	}
	return out
}

// members returns the sorted indexes of a list. Gaps between them are allowed.
func (p Params) members(name, element string) []int {
	lead := p.prefix + name + "." + element + "."
	var out []int
	for key := range p.values {
		rest, ok := strings.CutPrefix(key, lead)
		if !ok {
			continue
		}
		digits, _, _ := strings.Cut(rest, ".")
		n, err := strconv.Atoi(digits)
		if err != nil || n < 0 || strconv.Itoa(n) != digits {
			continue
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Number parses an integer in [low, high]. It returns nil if the parameter was not sent.
func (p Params) Number(name string, low, high int) (*int, error) {
	sent := p.Optional(name)
	if sent == nil {
		return nil, nil
	}
	n, err := strconv.Atoi(*sent)
	if err != nil {
		return nil, BadRequest("MalformedInput", "'%s' is not a number, at '%s%s'", *sent, p.prefix, name)
	}
	if n < low || n > high {
		return nil, ValidationError("'%s%s' must be between '%d' and '%d', inclusive: '%d' is not.", p.prefix, name, low, high, n)
	}
	return &n, nil
}

// Flag parses a Boolean. It returns nil if the parameter was not sent.
func (p Params) Flag(name string) (*bool, error) {
	sent := p.Optional(name)
	if sent == nil {
		return nil, nil
	}
	switch strings.ToLower(*sent) {
	case "true":
		return new(true), nil
	case "false":
		return new(false), nil
	}
	return nil, BadRequest("MalformedInput", "'%s' is neither true nor false, at '%s%s'", *sent, p.prefix, name)
}

// Require returns an error that names the first of the given parameters that was not sent.
func (p Params) Require(names ...string) error {
	for _, name := range names {
		if !p.Has(name) {
			return MissingParameter(p.prefix + lowerFirst(name))
		}
	}
	return nil
}

// OneOf returns a value and an error if the value is neither empty nor one of allowed.
func (p Params) OneOf(name string, allowed ...string) (string, error) {
	got := p.Text(name)
	if err := CheckEnum(p.prefix+lowerFirst(name), got, allowed...); err != nil {
		return "", err
	}
	return got, nil
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
