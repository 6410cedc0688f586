package words

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// word is a line of the word list.
type word struct {
	pattern *regexp.Regexp
	// contains are texts of which every match contains one. A plain search for them is much
	// faster than the pattern, and most lines have none.
	contains []string
	instead  string
}

// maybe reports whether a text in lower case can match.
func (w word) maybe(lower string) bool {
	return slices.ContainsFunc(w.contains, func(text string) bool { return strings.Contains(lower, text) })
}

type words []word

// maybe returns the words that a text in lower case can match.
func (l words) maybe(lower string) words {
	var some words
	for _, w := range l {
		if w.maybe(lower) {
			some = append(some, w)
		}
	}
	return some
}

func wordList(t *testing.T) words {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "words.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var list words
	for lines := bufio.NewScanner(file); lines.Scan(); {
		pattern, instead, found := strings.Cut(lines.Text(), ": ")
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		if !found {
			t.Fatalf("no term after %q", lines.Text())
		}
		parsed, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		contains := literals(parsed)
		if len(contains) == 0 {
			t.Fatalf("%q matches texts that have nothing in common", pattern)
		}
		list = append(list, word{regexp.MustCompile(`(?i)\b(` + pattern + `)\b`), contains, instead})
	}
	return list
}

// literals returns texts without spaces of which every match of an expression contains
// one: of a sequence those of the part with the longest ones, of alternatives all. It is
// empty if there are none.
func literals(e *syntax.Regexp) []string {
	var found []string
	switch e.Op {
	case syntax.OpLiteral:
		for _, text := range strings.Fields(strings.ToLower(string(e.Rune))) {
			found = longer(found, []string{text})
		}
	case syntax.OpCapture:
		return literals(e.Sub[0])
	case syntax.OpConcat:
		for _, part := range e.Sub {
			found = longer(found, literals(part))
		}
	case syntax.OpAlternate:
		for _, alternative := range e.Sub {
			texts := literals(alternative)
			if len(texts) == 0 {
				return nil
			}
			found = append(found, texts...)
		}
	default: // it may be absent, or match texts that have nothing in common
	}
	return found
}

// longer returns the texts whose shortest is longer.
func longer(a, b []string) []string {
	shortest := func(texts []string) int {
		n := 0
		for _, text := range texts {
			if n == 0 || len(text) < n {
				n = len(text)
			}
		}
		return n
	}
	if shortest(b) > shortest(a) {
		return b
	}
	return a
}

var (
	// checked are the extensions and names of the files to check.
	checked = []string{".go", ".md", ".tmpl", ".tf", ".tfvars", ".hcl", ".sh", ".yml", ".txt", ".json", "GNUmakefile", "run"}
	// skipped are directories and files that are not ours, and this package.
	skipped = []string{".git", ".terraform", "bin", "dist", "node_modules", "LICENSE", filepath.Join("internal", "words")}
	// allowed are the names of others.
	allowed = regexp.MustCompile(`\bHOME\b|UserHomeDir|XDG_[A-Z_]+|[Hh]omepage|home directory|/home/`)
	// humps are the borders of words in an identifier.
	humps = regexp.MustCompile(`([a-z0-9])([A-Z])`)
)

// prose returns a line with identifiers split into their words.
func prose(line string) string {
	line = allowed.ReplaceAllString(line, " ")
	return humps.ReplaceAllString(strings.ReplaceAll(line, "_", " "), "$1 $2")
}

func TestWords(t *testing.T) {
	root := filepath.Join("..", "..")
	list := wordList(t)
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if slices.Contains(skipped, name) || slices.Contains(skipped, d.Name()) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() || !slices.Contains(checked, filepath.Ext(name)) && !slices.Contains(checked, d.Name()) {
			return nil
		}
		files++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		list.check(t, name, name) // the name of the file itself
		some := list.maybe(strings.ToLower(string(text)))
		for i, line := range strings.Split(string(text), "\n") {
			some.check(t, line, name+":"+strconv.Itoa(i+1))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("only %d files were checked", files)
	}
}

// check reports the words in a text.
func (l words) check(t *testing.T, text, place string) {
	t.Helper()
	for _, w := range l.in(text) {
		t.Errorf("%s: %q is not a term of this project; use: %s", place, w.pattern.FindString(prose(text)), w.instead)
	}
}

// in returns the words of the list in a text.
func (l words) in(text string) words {
	some := l.maybe(strings.ToLower(text))
	if len(some) == 0 {
		return nil
	}
	text = prose(text)
	return slices.DeleteFunc(some, func(w word) bool { return !w.pattern.MatchString(text) })
}

// The list matches prose, identifiers and file names, and not parts of other words.
func TestWords_matchIdentifiers(t *testing.T) {
	list := wordList(t)
	matches := func(text string) bool { return len(list.in(text)) > 0 }
	for _, text := range []string{"the way " + "back", "func way" + "Home()", "ho" + "me_test.go", "Told" + "Twice", "is sent " + "back"} {
		if !matches(text) {
			t.Errorf("%q is not matched", text)
		}
	}
	for _, text := range []string{"rolled back", "os.UserHomeDir()", "$HOME/.terraformrc", "recommended", "a handler"} {
		if matches(text) {
			t.Errorf("%q is matched", text)
		}
	}
}
