package input

import (
	"strings"
	"unicode"

	"github.com/hashicorp/terraform-plugin-framework/path"
)

// Name checks the name of an environment or entry point, which also stands in import ids,
// schedules and logs. It returns false for a name that cannot be used.
func (r *Reader) Name(at path.Path, name string) bool {
	fault := ""
	switch {
	case name == "":
		fault = "It is empty."
	case strings.TrimSpace(name) == "":
		fault = "It is blank."
	case strings.ContainsFunc(name, unicode.IsControl):
		fault = "It contains a control character, such as a newline."
	case strings.TrimSpace(name) != name:
		fault = "It begins or ends with white space."
	case strings.ContainsAny(name, ",="):
		fault = "It contains a comma or an equals sign, which separate the parts of an import ID."
	}
	if fault != "" {
		r.Add(unusableName(at, name, fault))
	}
	return fault == ""
}
