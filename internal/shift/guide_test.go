package shift_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// The guide has the rows of the table word for word.
func TestTable_isInTheGuide(t *testing.T) {
	guide, err := os.ReadFile("../../templates/guides/what-an-apply-does.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range shift.Table() {
		if line := fmt.Sprintf("| %d | %s | %s |", row.Number, row.Situation, row.Apply); !strings.Contains(string(guide), line) {
			t.Errorf("the guide does not have the line\n%s", line)
		}
	}
}
