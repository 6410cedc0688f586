package lambda

import (
	"encoding/json"
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// rawJSON is a raw in JSON.
type rawJSON struct {
	Route   string  `json:"route"`
	Routing routing `json:"routing"`
}

// MarshalJSON implements json.Marshaler.
func (k *raw) MarshalJSON() ([]byte, error) { return json.Marshal(rawJSON{k.route, k.routing}) }

// Restore gives a state that was in JSON the Raw value that it had.
func Restore(s *traffic.State) error {
	if s.Raw == nil {
		return nil
	}
	text, err := json.Marshal(s.Raw)
	if err != nil {
		return err
	}
	var x rawJSON
	if err := json.Unmarshal(text, &x); err != nil {
		return fmt.Errorf("the routing of an alias: %w", err)
	}
	s.Raw = &raw{x.Route, x.Routing}
	return nil
}
