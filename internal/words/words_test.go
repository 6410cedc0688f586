package words

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// word is a line of the word list.
type word struct {
	pattern *regexp.Regexp
	instead string
}

// words is the list, with a pattern that matches any of it.
type words struct {
	list []word
	any  *regexp.Regexp
}

func wordList(t *testing.T) words {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "words.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var list []word
	var all []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		pattern, instead, found := strings.Cut(lines.Text(), ": ")
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		if !found {
			t.Fatalf("no term after %q", lines.Text())
		}
		all = append(all, pattern)
		list = append(list, word{regexp.MustCompile(`(?i)\b(` + pattern + `)\b`), instead})
	}
	return words{list, regexp.MustCompile(`(?i)\b(` + strings.Join(all, "|") + `)\b`)}
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
	line = allowed.ReplaceAllString(line, "")
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
		for i, line := range strings.Split(string(text), "\n") {
			list.check(t, line, name+":"+strconv.Itoa(i+1))
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
	if text = prose(text); !l.any.MatchString(text) {
		return
	}
	for _, w := range l.list {
		if found := w.pattern.FindString(text); found != "" {
			t.Errorf("%s: %q is not a term of this project; use: %s", place, found, w.instead)
		}
	}
}

// The list matches prose, identifiers and file names, and not parts of other words.
func TestWords_matchIdentifiers(t *testing.T) {
	list := wordList(t)
	matches := func(text string) bool { return list.any.MatchString(prose(text)) }
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
