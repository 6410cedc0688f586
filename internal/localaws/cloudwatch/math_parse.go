package cloudwatch

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// mathParser parses the tokens of an expression from left to right.
type mathParser struct {
	tokens []string
	binary map[string]func(a, b float64) float64
}

// errNotSupported is the error for metric math that is not simulated.
var errNotSupported = errors.New("localaws does not know it")

// parseMath parses an expression.
func parseMath(text string) (term, error) {
	token := regexp.MustCompile(`^(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|[A-Za-z_][A-Za-z0-9_]*|<=|>=|==|!=|&&|\|\||[-+*/^()<>,\[\]])`)
	p := &mathParser{binary: operators()}
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		next := token.FindString(rest)
		if next == "" {
			return nil, fmt.Errorf("%q: %w", firstWord(rest), errNotSupported)
		}
		p.tokens = append(p.tokens, next)
		rest = rest[len(next):]
	}
	out, err := p.level(0)
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("%q is not expected here", p.tokens[0])
	}
	return out, err
}

func firstWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}

// levels returns the binary operators by precedence, lowest first.
func levels() [][]string {
	return [][]string{{"OR", "||"}, {"AND", "&&"}, {"<", "<=", ">", ">=", "==", "!="}, {"+", "-"}, {"*", "/"}}
}

func (p *mathParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *mathParser) next() string {
	out := p.peek()
	if out != "" {
		p.tokens = p.tokens[1:]
	}
	return out
}

func (p *mathParser) expect(token string) error {
	if got := p.next(); got != token {
		return fmt.Errorf("%q is expected, not %q", token, got)
	}
	return nil
}

// level parses operands that are joined by operators of precedence n or higher.
func (p *mathParser) level(n int) (term, error) {
	if n == len(levels()) {
		return p.unary()
	}
	left, err := p.level(n + 1)
	for err == nil && slices.Contains(levels()[n], p.peek()) {
		operator := p.binary[p.next()]
		var right term
		right, err = p.level(n + 1)
		left = binaryTerm(left, right, operator)
	}
	return left, err
}

func binaryTerm(left, right term, operator func(a, b float64) float64) term {
	return func(s *mathScope) (mathValue, error) {
		a, err := left(s)
		if err != nil {
			return a, err
		}
		b, err := right(s)
		if err != nil {
			return b, err
		}
		return combine(a, b, operator)
	}
}

func (p *mathParser) unary() (term, error) {
	if p.peek() != "-" {
		return p.power()
	}
	p.next()
	operand, err := p.unary()
	return binaryTerm(constant(numberValue(-1)), operand, p.binary["*"]), err
}

// power is right-associative and binds tighter than a sign: -2^2 is -4.
func (p *mathParser) power() (term, error) {
	base, err := p.operand()
	if err != nil || p.peek() != "^" {
		return base, err
	}
	p.next()
	exponent, err := p.unary()
	return binaryTerm(base, exponent, math.Pow), err
}

func constant(v mathValue) term {
	return func(*mathScope) (mathValue, error) { return v, nil }
}

func (p *mathParser) operand() (term, error) {
	token := p.next()
	switch {
	case token == "":
		return nil, errors.New("the expression ends too early")
	case token == "(":
		inner, err := p.level(0)
		if err != nil {
			return nil, err
		}
		return inner, p.expect(")")
	case token == "[":
		terms, err := p.list("]")
		return arrayOf(terms), err
	case p.peek() == "(" && isWord(token):
		p.next()
		return p.call(token)
	case isWord(token):
		return reference(token), nil
	}
	v, err := strconv.ParseFloat(token, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is not expected here", token)
	}
	return constant(numberValue(v)), nil
}

func isWord(token string) bool {
	c := token[0] | 0x20
	return c >= 'a' && c <= 'z' || token[0] == '_'
}

// list parses terms up to a closing bracket.
func (p *mathParser) list(end string) ([]term, error) {
	var out []term
	for p.peek() != end {
		if len(out) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		one, err := p.level(0)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, p.expect(end)
}

func reference(id string) term {
	return func(s *mathScope) (mathValue, error) {
		if _, known := s.queries[id]; !known {
			return mathValue{}, fmt.Errorf("there is no query with the id %s", id)
		}
		result, err := s.series(id)
		return seriesValue(result), err
	}
}

// arrayOf returns an array of time series, as in [m1, m2].
func arrayOf(terms []term) term {
	return func(s *mathScope) (mathValue, error) {
		var out []timeSeries
		for _, one := range terms {
			v, err := one(s)
			switch {
			case err != nil:
				return v, err
			case v.kind == numberKind:
				return v, errors.New("an array holds time series, not numbers")
			case v.kind == seriesKind:
				out = append(out, v.series)
			default:
				out = append(out, v.list...)
			}
		}
		return listValue(out), nil
	}
}
