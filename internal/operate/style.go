package operate

import "unicode/utf8"

// Style decorates the parts of a text for a terminal. Nil functions leave them as they are.
type Style struct {
	Heading, Faint, Warning func(text string) string
	Phase                   func(phase string) string // of a shift
	Health                  func(g GroupStatus, text string) string
	Bar                     func(g GroupStatus) string // shows the share, before the health; empty: nothing
	Width                   func(text string) int      // in columns
}

// complete returns the style with all functions.
func (s Style) complete() Style {
	for _, f := range []*func(string) string{&s.Heading, &s.Faint, &s.Warning, &s.Phase} {
		if *f == nil {
			*f = func(text string) string { return text }
		}
	}
	if s.Health == nil {
		s.Health = func(_ GroupStatus, text string) string { return text }
	}
	if s.Bar == nil {
		s.Bar = func(GroupStatus) string { return "" }
	}
	if s.Width == nil {
		s.Width = utf8.RuneCountInString
	}
	return s
}
