// Package placeholder fills in what only a running shift knows, such as {{incoming.version}}, in
// the texts of gates. One configuration then measures each environment in its turn.
package placeholder

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// The sides of a shift and their properties, of which a placeholder names one each. The target
// group of one of several entry points is {{incoming.target_group.ENTRY}}.
var (
	sides      = []string{"incoming", "live"}
	properties = []string{"environment", "version", "target_group"}
)

// pattern matches a placeholder.
var pattern = regexp.MustCompile(`\{\{([^{}]*)\}\}`)

// sample stands for a value that is not known yet.
const sample = "x"

// ErrNoLive reports that a text needs a live environment where there is none.
var ErrNoLive = errors.New("there is no live environment")

// name is a parsed placeholder.
type name struct {
	text           string // as written
	side, property string
	entry          string // of a target group; empty: the only one
}

// parse parses what is between the braces.
func parse(text string) (name, error) {
	n := name{text: text}
	side, rest, _ := strings.Cut(strings.TrimSpace(text), ".")
	n.side = side
	n.property, n.entry, _ = strings.Cut(rest, ".")
	if !slices.Contains(sides, n.side) || !slices.Contains(properties, n.property) ||
		n.entry != "" && n.property != "target_group" || strings.HasSuffix(rest, ".") {
		return name{}, fmt.Errorf("{{%s}} is not a placeholder; use %s", text, known())
	}
	return n, nil
}

// known lists the placeholders.
func known() string {
	var all []string
	for _, side := range sides {
		for _, property := range properties {
			all = append(all, "{{"+side+"."+property+"}}")
		}
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// Check reports the first placeholder of a text that does not exist.
func Check(text string) error {
	for _, found := range pattern.FindAllStringSubmatch(text, -1) {
		if _, err := parse(found[1]); err != nil {
			return err
		}
	}
	return nil
}

// Has reports whether a text has placeholders.
func Has(text string) bool { return pattern.MatchString(text) }

// HasLive reports whether a text has placeholders of the live environment.
func HasLive(text string) bool {
	return slices.ContainsFunc(pattern.FindAllStringSubmatch(text, -1), func(found []string) bool {
		n, err := parse(found[1])
		return err == nil && n.side == "live"
	})
}

// Sample returns a text with a letter in place of each placeholder, to check the rest of it.
func Sample(text string) string { return pattern.ReplaceAllString(text, sample) }

// Expand fills in the placeholders of a text. Escape prepares a value for its place in the text.
func Expand(text string, in rollout.GateInput, escape func(string) string) (string, error) {
	var failed error
	expanded := pattern.ReplaceAllStringFunc(text, func(found string) string {
		n, err := parse(found[2 : len(found)-2])
		if err == nil {
			var value string
			if value, err = n.value(in); err == nil {
				return escape(value)
			}
		}
		if failed == nil {
			failed = err
		}
		return ""
	})
	return expanded, failed
}

// value returns the value of a placeholder.
func (n name) value(in rollout.GateInput) (string, error) {
	backends := in.Incoming
	if n.side == "live" {
		backends = in.Live
	}
	if n.entry != "" {
		backends = slices.DeleteFunc(slices.Clone(backends), func(b traffic.Backend) bool { return b.Entry != n.entry })
	}
	var values []string
	for _, b := range backends {
		value, err := n.of(b)
		if err != nil {
			return "", err
		}
		if !slices.Contains(values, value) {
			values = append(values, value)
		}
	}
	switch {
	case len(values) == 1:
		return values[0], nil
	case len(values) == 0 && n.entry != "" && (len(in.Incoming) > 0 || len(in.Live) > 0):
		return "", fmt.Errorf("{{%s}}: there is no target group at the entry point %q", n.text, n.entry)
	case len(values) == 0 && n.side == "live":
		return "", ErrNoLive
	case len(values) == 0:
		return "", fmt.Errorf("{{%s}}: no environment gains traffic", n.text)
	case n.property == "target_group" && n.entry == "":
		return "", fmt.Errorf("{{%s}} has %d values; name the entry point, such as {{%s.target_group.%s}}", n.text, len(values), n.side, backends[0].Entry)
	default:
		return "", fmt.Errorf("{{%s}} has %d values: %s", n.text, len(values), strings.Join(values, ", "))
	}
}

// of returns the property of a group. A target group is as in the dimension of CloudWatch: the
// last part of its ARN.
func (n name) of(b traffic.Backend) (string, error) {
	switch n.property {
	case "environment":
		return b.Environment, nil
	case "version":
		if b.Version == "" {
			return "", fmt.Errorf("{{%s}}: environment %s has no version", n.text, b.Environment)
		}
		return b.Version, nil
	default:
		return b.Group[strings.LastIndex(b.Group, ":")+1:], nil
	}
}

// Plain does not escape a value.
func Plain(value string) string { return value }

// InURL escapes a value for every part of a URL.
func InURL(value string) string { return strings.ReplaceAll(url.QueryEscape(value), "+", "%20") }

// InQuotes escapes a value for a double-quoted string, as in PromQL and JSON.
func InQuotes(value string) string {
	quoted := strconv.Quote(value)
	return quoted[1 : len(quoted)-1]
}
