package gate

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// userAgent is the default User-Agent. Some firewalls reject that of Go.
const userAgent = "terraform-provider-bluegreen"

// minSecretLength is the length in bytes from which a header value is masked. A
// shorter value is not a secret, and masking it would make texts unreadable.
const minSecretLength = 4

var (
	tokenPattern = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	valuePattern = regexp.MustCompile(`^[^\x00-\x08\x0a-\x1f\x7f]*$`)
)

// headers are the headers of a request, some of them from the environment.
type headers struct {
	plain map[string]string
	env   map[string]string // environment variable by header name
}

// check validates the headers without reading the environment.
func (h headers) check() []*ArgumentError {
	var errs []*ArgumentError
	seen := map[string]bool{}
	for _, source := range []struct {
		argument string
		all      map[string]string
		check    func(string) error
	}{
		{"headers", h.plain, checkValue}, {"headers_env", h.env, checkVariable},
	} {
		for _, name := range slices.Sorted(maps.Keys(source.all)) {
			if err := h.checkOne(name, source.all[name], seen, source.check); err != nil {
				errs = append(errs, &ArgumentError{Argument: source.argument, Key: name, Err: err})
			}
		}
	}
	return errs
}

func (h headers) checkOne(name, text string, seen map[string]bool, check func(string) error) error {
	if !tokenPattern.MatchString(name) {
		return fmt.Errorf("%w: it is not a header name", ErrInvalid)
	}
	canonical := http.CanonicalHeaderKey(name)
	if seen[canonical] {
		return fmt.Errorf("%w: the header is set twice", ErrInvalid)
	}
	seen[canonical] = true
	return check(text)
}

func checkValue(text string) error {
	if !valuePattern.MatchString(text) {
		return fmt.Errorf("%w: it contains a line break or another control character", ErrInvalid)
	}
	return nil
}

func checkVariable(name string) error {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return fmt.Errorf("%w: it must be the name of an environment variable", ErrInvalid)
	}
	return nil
}

// hasHeader reports whether a map of headers has a name, in any case.
func hasHeader(all map[string]string, canonical string) bool {
	for name := range all {
		if http.CanonicalHeaderKey(name) == canonical {
			return true
		}
	}
	return false
}

// read returns the headers to send.
func (h headers) read(lookup Lookup) (http.Header, []*ArgumentError) {
	all := http.Header{"User-Agent": {userAgent}}
	for name, text := range h.plain {
		all.Set(name, text)
	}
	var errs []*ArgumentError
	for _, name := range slices.Sorted(maps.Keys(h.env)) {
		text, err := lookup.secret(h.env[name])
		if err == nil {
			err = checkValue(text)
		}
		if err != nil {
			errs = append(errs, &ArgumentError{Argument: "headers_env", Key: name, Err: err})
			continue
		}
		all.Set(name, text)
	}
	return all, errs
}

// mask replaces the header values that were sent in the texts that came back.
type mask struct{ replacer *strings.Replacer }

// newMask returns a mask for header values and further secrets. Of a value with a
// scheme ("Bearer ..."), it also masks the part after the scheme.
func newMask(sent http.Header, secrets ...string) mask {
	for name, values := range sent {
		if name == "User-Agent" && slices.Equal(values, []string{userAgent}) {
			continue
		}
		for _, v := range values {
			secrets = append(secrets, v, v[strings.LastIndex(v, " ")+1:], passwordOf(v))
		}
	}
	var hidden []string
	for _, secret := range secrets {
		if len(secret) >= minSecretLength {
			hidden = append(hidden, encodings(secret)...)
		}
	}
	// The longest first: otherwise a part of a longer one would stay visible.
	slices.SortFunc(hidden, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, s := range slices.Compact(hidden) {
		if len(s) >= minSecretLength {
			pairs = append(pairs, s, "***")
		}
	}
	return mask{strings.NewReplacer(pairs...)}
}

// encodings returns a secret as it was sent and as a response may repeat it:
// trimmed, quoted, in a URL, in base64 with or without padding, in hexadecimal.
func encodings(secret string) []string {
	quoted := strconv.Quote(secret)
	all := []string{
		secret, strings.TrimSpace(secret), quoted[1 : len(quoted)-1],
		url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret), hex.EncodeToString([]byte(secret)),
	}
	if text, err := json.Marshal(secret); err == nil {
		all = append(all, string(text[1:len(text)-1]))
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		all = append(all, encoding.EncodeToString([]byte(secret)))
	}
	return all
}

// passwordOf returns the password in a Basic credential; empty for other schemes.
func passwordOf(value string) string {
	scheme, encoded, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return ""
	}
	pair, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return ""
	}
	_, password, _ := strings.Cut(string(pair), ":")
	return password
}

func (m mask) hide(text string) string { return m.replacer.Replace(text) }
