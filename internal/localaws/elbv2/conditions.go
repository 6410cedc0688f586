package elbv2

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const maxConditionValues = 5

// condition is a condition of a rule in the form of Describe calls.
type condition struct {
	Field                   string
	Values                  *wire.List[string] `xml:",omitempty"`
	HostHeaderConfig        *valuesConfig      `xml:",omitempty"`
	PathPatternConfig       *valuesConfig      `xml:",omitempty"`
	HTTPHeaderConfig        *headerConfig      `xml:"HttpHeaderConfig,omitempty"`
	QueryStringConfig       *queryConfig       `xml:",omitempty"`
	HTTPRequestMethodConfig *valuesConfig      `xml:"HttpRequestMethodConfig,omitempty"`
	SourceIPConfig          *valuesConfig      `xml:"SourceIpConfig,omitempty"`
	regexes                 []*regexp.Regexp
}

type valuesConfig struct {
	Values      *wire.List[string] `xml:",omitempty"`
	RegexValues *wire.List[string] `xml:",omitempty"`
}

type headerConfig struct {
	HTTPHeaderName string             `xml:"HttpHeaderName"`
	Values         *wire.List[string] `xml:",omitempty"`
	RegexValues    *wire.List[string] `xml:",omitempty"`
}

type queryConfig struct {
	Values wire.List[queryPair]
}

type queryPair struct {
	Key   string `xml:",omitempty"`
	Value string
}

// readConditions parses and validates a complete list of conditions.
func readConditions(elements []wire.Params) ([]condition, error) {
	if len(elements) == 0 {
		return nil, wire.ValidationError("A condition must be specified")
	}
	var out []condition
	values := 0
	for _, p := range elements {
		c, n, err := readCondition(p)
		if err != nil {
			return nil, err
		}
		repeatable := c.Field == "http-header" || c.Field == "query-string"
		if !repeatable && slices.ContainsFunc(out, func(o condition) bool { return o.Field == c.Field }) {
			return nil, wire.ValidationError("The '%s' condition can be specified only once", c.Field)
		}
		values += n
		out = append(out, c)
	}
	if values > maxConditionValues {
		return nil, wire.ValidationError("A rule can only have '%d' condition values", maxConditionValues)
	}
	return out, nil
}

// readCondition parses one condition and returns the number of its values.
func readCondition(p wire.Params) (condition, int, error) {
	c := condition{Field: p.Text("Field")}
	short := p.List("Values")
	var n int
	var err error
	switch c.Field {
	case "host-header":
		c.HostHeaderConfig, n, err = c.patterns(p, "HostHeaderConfig", short)
		c.Values = c.shortForm(c.HostHeaderConfig)
	case "path-pattern":
		c.PathPatternConfig, n, err = c.patterns(p, "PathPatternConfig", short)
		c.Values = c.shortForm(c.PathPatternConfig)
	case "http-header":
		n, err = c.readHeader(p)
	case "query-string":
		n, err = c.readQuery(p)
	case "http-request-method":
		c.HTTPRequestMethodConfig, n, err = c.patterns(p, "HttpRequestMethodConfig", nil)
	case "source-ip":
		c.SourceIPConfig, n, err = c.patterns(p, "SourceIpConfig", nil)
		if err == nil {
			err = checkNetworks(c.SourceIPConfig)
		}
	default:
		err = wire.ValidationError("Condition field '%s' must be one of '[path-pattern, host-header, http-header, http-request-method, query-string, source-ip]'", c.Field)
	}
	if err == nil && n == 0 {
		err = wire.ValidationError("A condition value must be specified")
	}
	return c, n, err
}

// shortForm repeats the values outside the structure, as AWS does for hosts and paths.
func (c *condition) shortForm(v *valuesConfig) *wire.List[string] {
	if v == nil {
		return nil
	}
	return v.Values
}

// patterns reads the values of a condition from its structure or from the deprecated Values field.
func (c *condition) patterns(p wire.Params, structure string, short []string) (*valuesConfig, int, error) {
	cfg, given := p.Structure(structure)
	values, regexes := short, p.List("RegexValues")
	if given {
		if len(short) > 0 {
			return nil, 0, wire.ValidationError("You cannot specify both 'Values' and '%s' for a condition", structure)
		}
		values, regexes = cfg.List("Values"), append(regexes, cfg.List("RegexValues")...)
	}
	if err := c.checkValues(values, regexes); err != nil {
		return nil, 0, err
	}
	return &valuesConfig{Values: wire.ListOf(values), RegexValues: wire.ListOf(regexes)}, len(values) + len(regexes), nil
}

func (c *condition) checkValues(values, regexes []string) error {
	for _, v := range slices.Concat(values, regexes) {
		if v == "" || len(v) > 128 {
			return wire.ValidationError("Condition value '%s' must have 1 to 128 characters", v)
		}
	}
	for _, text := range regexes {
		re, err := regexp.Compile(text)
		if err != nil {
			return wire.ValidationError("Condition value '%s' is not a valid regular expression", text)
		}
		c.regexes = append(c.regexes, re)
	}
	return nil
}

func (c *condition) readHeader(p wire.Params) (int, error) {
	cfg, _ := p.Structure("HttpHeaderConfig")
	name := cfg.Text("HttpHeaderName")
	if name == "" || len(name) > 40 {
		return 0, wire.ValidationError("The name of an HTTP header must have 1 to 40 characters: '%s'", name)
	}
	if strings.EqualFold(name, "host") {
		return 0, wire.ValidationError("You cannot specify the host header in an http-header condition: use host-header")
	}
	values, regexes := cfg.List("Values"), append(p.List("RegexValues"), cfg.List("RegexValues")...)
	if err := c.checkValues(values, regexes); err != nil {
		return 0, err
	}
	c.HTTPHeaderConfig = &headerConfig{HTTPHeaderName: name, Values: wire.ListOf(values), RegexValues: wire.ListOf(regexes)}
	return len(values) + len(regexes), nil
}

func (c *condition) readQuery(p wire.Params) (int, error) {
	cfg, _ := p.Structure("QueryStringConfig")
	var pairs []queryPair
	for _, e := range cfg.Structs("Values") {
		q := queryPair{Key: e.Text("Key"), Value: e.Text("Value")}
		if q.Value == "" || len(q.Value) > 128 || len(q.Key) > 128 {
			return 0, wire.ValidationError("Condition value '%s' must have 1 to 128 characters", q.Value)
		}
		pairs = append(pairs, q)
	}
	c.QueryStringConfig = &queryConfig{Values: wire.List[queryPair]{Members: pairs}}
	return len(pairs), nil
}

func checkNetworks(v *valuesConfig) error {
	for _, text := range v.Values.Slice() {
		if _, err := netip.ParsePrefix(text); err != nil {
			return wire.ValidationError("Condition value '%s' contains an invalid CIDR block", text)
		}
	}
	return nil
}
