package localalb

// list is a list in a response. Unlike a slice, it is encoded as an element even when empty, as by AWS.
type list[T any] struct {
	Members []T `xml:"member"`
}

// listOf returns a list, nil without members, for the lists that AWS omits when they are empty.
func listOf[T any](members []T) *list[T] {
	if len(members) == 0 {
		return nil
	}
	return &list[T]{Members: members}
}

// members returns the members of a list, none for nil.
func (l *list[T]) members() []T {
	if l == nil {
		return nil
	}
	return l.Members
}

// pair is an entry of a map in a request or response.
type pair struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// empty is the result of an action without result fields.
type empty struct{}
