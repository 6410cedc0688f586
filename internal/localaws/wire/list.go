package wire

// List is a list in a response. Unlike a slice, it is encoded as an element even when empty, as by AWS.
type List[T any] struct {
	Members []T `xml:"member"`
}

// ListOf returns a list, nil without members, for the lists that AWS omits when they are empty.
func ListOf[T any](members []T) *List[T] {
	if len(members) == 0 {
		return nil
	}
	return &List[T]{Members: members}
}

// Slice returns the members of a list, none for nil.
func (l *List[T]) Slice() []T {
	if l == nil {
		return nil
	}
	return l.Members
}

// Pair is an entry of a map in a request or response.
type Pair struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// Empty is the result of an action without result fields.
type Empty struct{}
