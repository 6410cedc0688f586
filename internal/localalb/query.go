package localalb

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// params reads the parameters of a Query API request, or of one structure in it. A list is encoded as
// Name.member.1, a structure as Name.Field.
type params struct {
	values url.Values
	prefix string
}

// text returns the value of a parameter, "" if it is missing.
func (p params) text(name string) string {
	return p.values.Get(p.prefix + name)
}

// has reports whether the parameter, or any parameter below it, was sent.
func (p params) has(name string) bool {
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

// optional returns the value of a parameter, nil if it was not sent.
func (p params) optional(name string) *string {
	if v, ok := p.values[p.prefix+name]; ok && len(v) > 0 {
		return &v[0]
	}
	return nil
}

// structure returns the fields of a structure and reports whether any was sent.
func (p params) structure(name string) (params, bool) {
	return params{values: p.values, prefix: p.prefix + name + "."}, p.has(name)
}

// list returns the members of a list of scalars, in the order of their indexes.
func (p params) list(name string) []string {
	var out []string
	for _, n := range p.members(name, "member") {
		out = append(out, p.values.Get(p.prefix+name+".member."+strconv.Itoa(n)))
	}
	return out
}

// structs returns the members of a list of structures, in the order of their indexes.
func (p params) structs(name string) []params {
	var out []params
	for _, n := range p.members(name, "member") {
		out = append(out, params{values: p.values, prefix: p.prefix + name + ".member." + strconv.Itoa(n) + "."})
	}
	return out
}

// pairs returns the entries of a map parameter, in the order of their indexes.
func (p params) pairs(name string) []pair {
	var out []pair
	for _, n := range p.members(name, "entry") {
		at := p.prefix + name + ".entry." + strconv.Itoa(n) + "."
		out = append(out, pair{Key: p.values.Get(at + "key"), Value: p.values.Get(at + "value")})
	}
	return out
}

// members returns the sorted indexes of a list. Gaps between them are allowed.
func (p params) members(name, element string) []int {
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

// number parses an integer in [low, high]. It returns nil if the parameter was not sent.
func (p params) number(name string, low, high int) (*int, error) {
	sent := p.optional(name)
	if sent == nil {
		return nil, nil
	}
	n, err := strconv.Atoi(*sent)
	if err != nil {
		return nil, badRequest("MalformedInput", "'%s' is not a number, at '%s%s'", *sent, p.prefix, name)
	}
	if n < low || n > high {
		return nil, validationError("'%s%s' must be between '%d' and '%d', inclusive: '%d' is not.", p.prefix, name, low, high, n)
	}
	return &n, nil
}

// flag parses a Boolean. It returns nil if the parameter was not sent.
func (p params) flag(name string) (*bool, error) {
	sent := p.optional(name)
	if sent == nil {
		return nil, nil
	}
	switch strings.ToLower(*sent) {
	case "true":
		return new(true), nil
	case "false":
		return new(false), nil
	}
	return nil, badRequest("MalformedInput", "'%s' is neither true nor false, at '%s%s'", *sent, p.prefix, name)
}

// require returns an error that names the first of the given parameters that was not sent.
func (p params) require(names ...string) error {
	for _, name := range names {
		if !p.has(name) {
			return missingParameter(p.prefix + lowerFirst(name))
		}
	}
	return nil
}

// oneOf returns a value and an error if the value is neither empty nor one of allowed.
func (p params) oneOf(name string, allowed ...string) (string, error) {
	got := p.text(name)
	if err := checkEnum(p.prefix+lowerFirst(name), got, allowed...); err != nil {
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
