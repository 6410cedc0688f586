package input

import (
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// Blocks are lists in the schema. Terraform reports a misspelled argument of a block, which it
// drops without a word in an object; of a list, it asks for nothing where there is no block, and
// a dynamic block may turn out to be absent.

// repeated are the blocks, and the list of objects, that can have several elements.
var repeated = map[string]bool{"gate": true, "json": true, "metric": true, "notify": true, "query": true, "steps": true}

// IsRepeated reports whether there can be several blocks of a name, instead of one.
func IsRepeated(block string) bool { return repeated[block] }

// NoBlock reports whether a block is not there.
func NoBlock(v attr.Value) bool {
	list, ok := v.(types.List)
	return Missing(v) || ok && !list.IsUnknown() && len(list.Elements()) == 0
}

// Block reads a block of which there is at most one. It returns the path of the block with its
// arguments; nil where it is not there or unknown.
func (r *Reader) Block(at path.Path, v attr.Value) (path.Path, map[string]attr.Value) {
	blocks := r.Blocks(v)
	if len(blocks) > 1 {
		r.Add(severalBlocks(at.AtListIndex(1)))
	}
	if len(blocks) == 0 {
		return at.AtListIndex(0), nil
	}
	return at.AtListIndex(0), r.Attributes(blocks[0])
}

// Blocks returns the blocks of a name; nil where they are unknown.
func (r *Reader) Blocks(v attr.Value) []attr.Value {
	list, ok := v.(types.List)
	if !r.Known(v) || !ok {
		return nil
	}
	return list.Elements()
}

// firstIndex is the index of the first of some blocks or objects.
var firstIndex = regexp.MustCompile(`(\w+)\[0\]\.`)

// PathText names an argument as it stands in the configuration: a block of which there is one
// has no index there.
func PathText(at path.Path) string {
	return firstIndex.ReplaceAllStringFunc(at.String(), func(found string) string {
		name := firstIndex.FindStringSubmatch(found)[1]
		if IsRepeated(name) {
			return found
		}
		return name + "."
	})
}
