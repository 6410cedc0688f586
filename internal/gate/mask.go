package gate

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// minSecretLength is the length in bytes from which a header value is masked. A
// shorter value is not a secret, and masking it would make texts unreadable.
const minSecretLength = 4

// errNoResponse is the cause if a request got no response. The network error itself
// is in the verdict's text, where secrets are masked.
var errNoResponse = errors.New("no response was received")

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

// noResponse describes why a request got no response and returns the cause. Only the
// text contains the error itself, with secrets masked.
func (m mask) noResponse(ctx context.Context, err error, took time.Duration) (string, error) {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Sprintf("no response after %s (evaluation canceled)", roundUp(took)), ctx.Err()
	case ctx.Err() != nil:
		return fmt.Sprintf("no response after %s (gate timeout)", roundUp(took)), ctx.Err()
	}
	// The client's error repeats the URL, which may hold a token.
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err
	}
	return "no response: " + oneLine(m.hide(err.Error())), errNoResponse
}
