package localalb

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

const maxConditionValues = 5

// condition is a condition of a rule in the form of Describe calls.
type condition struct {
	Field                   string
	Values                  *list[string] `xml:",omitempty"`
	HostHeaderConfig        *valuesConfig `xml:",omitempty"`
	PathPatternConfig       *valuesConfig `xml:",omitempty"`
	HTTPHeaderConfig        *headerConfig `xml:"HttpHeaderConfig,omitempty"`
	QueryStringConfig       *queryConfig  `xml:",omitempty"`
	HTTPRequestMethodConfig *valuesConfig `xml:"HttpRequestMethodConfig,omitempty"`
	SourceIPConfig          *valuesConfig `xml:"SourceIpConfig,omitempty"`
	regexes                 []*regexp.Regexp
}

type valuesConfig struct {
	Values      *list[string] `xml:",omitempty"`
	RegexValues *list[string] `xml:",omitempty"`
}

type headerConfig struct {
	HTTPHeaderName string        `xml:"HttpHeaderName"`
	Values         *list[string] `xml:",omitempty"`
	RegexValues    *list[string] `xml:",omitempty"`
}

type queryConfig struct {
	Values list[queryPair]
}

type queryPair struct {
	Key   string `xml:",omitempty"`
	Value string
}

// readConditions parses and validates a complete list of conditions.
func readConditions(elements []params) ([]condition, error) {
	if len(elements) == 0 {
		return nil, validationError("A condition must be specified")
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
			return nil, validationError("The '%s' condition can be specified only once", c.Field)
		}
		values += n
		out = append(out, c)
	}
	if values > maxConditionValues {
		return nil, validationError("A rule can only have '%d' condition values", maxConditionValues)
	}
	return out, nil
}

// readCondition parses one condition and returns the number of its values.
func readCondition(p params) (condition, int, error) {
	c := condition{Field: p.text("Field")}
	short := p.list("Values")
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
		err = validationError("Condition field '%s' must be one of '[path-pattern, host-header, http-header, http-request-method, query-string, source-ip]'", c.Field)
	}
	if err == nil && n == 0 {
		err = validationError("A condition value must be specified")
	}
	return c, n, err
}

// shortForm repeats the values outside the structure, as AWS does for hosts and paths.
func (c *condition) shortForm(v *valuesConfig) *list[string] {
	if v == nil {
		return nil
	}
	return v.Values
}

// patterns reads the values of a condition from its structure or from the deprecated Values field.
func (c *condition) patterns(p params, structure string, short []string) (*valuesConfig, int, error) {
	cfg, given := p.structure(structure)
	values, regexes := short, p.list("RegexValues")
	if given {
		if len(short) > 0 {
			return nil, 0, validationError("You cannot specify both 'Values' and '%s' for a condition", structure)
		}
		values, regexes = cfg.list("Values"), append(regexes, cfg.list("RegexValues")...)
	}
	if err := c.checkValues(values, regexes); err != nil {
		return nil, 0, err
	}
	return &valuesConfig{Values: listOf(values), RegexValues: listOf(regexes)}, len(values) + len(regexes), nil
}

func (c *condition) checkValues(values, regexes []string) error {
	for _, v := range slices.Concat(values, regexes) {
		if v == "" || len(v) > 128 {
			return validationError("Condition value '%s' must have 1 to 128 characters", v)
		}
	}
	for _, text := range regexes {
		re, err := regexp.Compile(text)
		if err != nil {
			return validationError("Condition value '%s' is not a valid regular expression", text)
		}
		c.regexes = append(c.regexes, re)
	}
	return nil
}

func (c *condition) readHeader(p params) (int, error) {
	cfg, _ := p.structure("HttpHeaderConfig")
	name := cfg.text("HttpHeaderName")
	if name == "" || len(name) > 40 {
		return 0, validationError("The name of an HTTP header must have 1 to 40 characters: '%s'", name)
	}
	if strings.EqualFold(name, "host") {
		return 0, validationError("You cannot specify the host header in an http-header condition: use host-header")
	}
	values, regexes := cfg.list("Values"), append(p.list("RegexValues"), cfg.list("RegexValues")...)
	if err := c.checkValues(values, regexes); err != nil {
		return 0, err
	}
	c.HTTPHeaderConfig = &headerConfig{HTTPHeaderName: name, Values: listOf(values), RegexValues: listOf(regexes)}
	return len(values) + len(regexes), nil
}

func (c *condition) readQuery(p params) (int, error) {
	cfg, _ := p.structure("QueryStringConfig")
	var pairs []queryPair
	for _, e := range cfg.structs("Values") {
		q := queryPair{Key: e.text("Key"), Value: e.text("Value")}
		if q.Value == "" || len(q.Value) > 128 || len(q.Key) > 128 {
			return 0, validationError("Condition value '%s' must have 1 to 128 characters", q.Value)
		}
		pairs = append(pairs, q)
	}
	c.QueryStringConfig = &queryConfig{Values: list[queryPair]{pairs}}
	return len(pairs), nil
}

func checkNetworks(v *valuesConfig) error {
	for _, text := range v.Values.members() {
		if _, err := netip.ParsePrefix(text); err != nil {
			return validationError("Condition value '%s' contains an invalid CIDR block", text)
		}
	}
	return nil
}
