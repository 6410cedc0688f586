package elb

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// rawJSON is a raw in JSON. The actions have no secret: the API does not return any.
type rawJSON struct {
	Route   string         `json:"route"`
	Actions []types.Action `json:"actions"`
}

// MarshalJSON implements json.Marshaler.
func (k *raw) MarshalJSON() ([]byte, error) { return json.Marshal(rawJSON{k.route, k.actions}) }

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
		return fmt.Errorf("the actions of a route: %w", err)
	}
	s.Raw = &raw{x.Route, x.Actions}
	return nil
}
