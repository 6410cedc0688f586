package route53

import (
	"crypto/rand"
	"slices"
	"strings"
)

// normalize returns a DNS name in the form of the API: lower case, with a dot at the end, and with an asterisk as \052.
func normalize(name string) string {
	name = strings.ReplaceAll(strings.ToLower(name), "*", `\052`)
	if !strings.HasSuffix(name, ".") {
		name += "."
	}
	return name
}

// inDNS returns a name in the form of DNS messages.
func inDNS(name string) string { return strings.ReplaceAll(name, `\052`, "*") }

// reversed returns a name with its labels in reverse order and a dot at the end, by which lists are sorted.
func reversed(name string) string {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "."
}

// within reports whether a name is that of a zone or below it.
func within(name, zone string) bool { return name == zone || strings.HasSuffix(name, "."+zone) }

// newID returns an ID in the form of hosted zones and changes: a letter, and twenty letters and digits.
func newID(kind string) string {
	const characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	var b [20]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never returns an error
	for i := range b {
		b[i] = characters[int(b[i])%len(characters)]
	}
	return kind + string(b[:])
}
