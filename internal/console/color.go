package console

import (
	"os"

	"charm.land/lipgloss/v2"
)

// The choices of --color.
const (
	Auto   = "auto"
	Always = "always"
	Never  = "never"
)

// HasColor reports whether output has color. With Auto, NO_COLOR turns it off, CLICOLOR_FORCE on,
// and otherwise a terminal has it unless TERM is dumb or CLICOLOR is 0.
func HasColor(choice string, terminal bool, getenv func(string) (string, bool)) bool {
	value := func(name string) string { text, _ := getenv(name); return text }
	force := value("CLICOLOR_FORCE")
	switch {
	case choice == Always:
		return true
	case choice == Never || value("NO_COLOR") != "":
		return false
	case force != "" && force != "0":
		return true
	}
	return terminal && value("TERM") != "dumb" && value("CLICOLOR") != "0"
}

// EnableColor prepares a console of Windows that does not interpret escape sequences by itself.
func EnableColor(out *os.File) { lipgloss.EnableLegacyWindowsANSI(out) }
