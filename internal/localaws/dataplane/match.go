package dataplane

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// match reports whether a request meets all conditions of a rule. The default rule has none.
func (r *liveRule) match(req *http.Request) bool {
	for _, m := range r.matches {
		if !m(req) {
			return false
		}
	}
	return true
}

func compileConditions(conditions []Condition) []func(*http.Request) bool {
	var out []func(*http.Request) bool
	for _, c := range conditions {
		out = append(out, compileCondition(c))
	}
	return out
}

func compileCondition(c Condition) func(*http.Request) bool {
	switch c.Field {
	case "path-pattern":
		return func(r *http.Request) bool { return c.meets(r.URL.EscapedPath(), false) }
	case "host-header":
		return func(r *http.Request) bool {
			host, _ := splitHost(r.Host)
			return c.meets(host, true)
		}
	case "http-header":
		return func(r *http.Request) bool {
			return slices.ContainsFunc(r.Header.Values(c.Header), func(v string) bool { return c.meets(v, true) })
		}
	case "query-string":
		return func(r *http.Request) bool { return matchQuery(c.Query, r.URL.Query()) }
	case "http-request-method":
		return func(r *http.Request) bool { return slices.Contains(c.Values, r.Method) }
	}
	return matchSource(c.Values)
}

// meets reports whether text matches any of the values or regular expressions of the condition.
func (c Condition) meets(text string, fold bool) bool {
	for _, re := range c.Regexes {
		if re.MatchString(text) {
			return true
		}
	}
	return slices.ContainsFunc(c.Values, func(p string) bool { return wildcard(p, text, fold) })
}

func matchQuery(patterns []QueryPattern, query url.Values) bool {
	return slices.ContainsFunc(patterns, func(p QueryPattern) bool {
		for key, values := range query {
			if p.Key != "" && !wildcard(p.Key, key, true) {
				continue
			}
			if slices.ContainsFunc(values, func(v string) bool { return wildcard(p.Value, v, true) }) {
				return true
			}
		}
		return false
	})
}

// matchSource compares the peer address of the connection and ignores X-Forwarded-For.
func matchSource(networks []string) func(*http.Request) bool {
	var prefixes []netip.Prefix
	for _, text := range networks {
		if p, err := netip.ParsePrefix(text); err == nil {
			prefixes = append(prefixes, p)
		}
	}
	return func(r *http.Request) bool {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		return err == nil && slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(from.Addr().Unmap()) })
	}
}

// splitHost splits an optional port from a host.
func splitHost(host string) (name, port string) {
	if name, port, err := net.SplitHostPort(host); err == nil {
		return name, port
	}
	return host, ""
}

// wildcard matches * (zero or more characters) and ? (exactly one). A backslash escapes both.
func wildcard(pattern, text string, fold bool) bool {
	if fold {
		pattern, text = strings.ToLower(pattern), strings.ToLower(text)
	}
	p, t := 0, 0
	star, mark := -1, 0
	for t < len(text) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, t
			p++
			continue
		}
		if width, ok := matchOne(pattern, p, text[t]); ok {
			p, t = p+width, t+1
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		p, t = star+1, mark
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchOne compares one character and returns how many bytes of the pattern it consumed.
func matchOne(pattern string, at int, char byte) (width int, ok bool) {
	switch {
	case at >= len(pattern):
		return 0, false
	case pattern[at] == '?':
		return 1, true
	case pattern[at] == '\\' && at+1 < len(pattern) && strings.IndexByte(`*?\`, pattern[at+1]) >= 0:
		return 2, pattern[at+1] == char
	}
	return 1, pattern[at] == char
}
