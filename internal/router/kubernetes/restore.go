package kubernetes

import (
	"encoding/json"
	"fmt"

	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Restore gives a state that was in JSON the Raw value that it had.
func Restore(s *traffic.State) error {
	if s.Raw == nil {
		return nil
	}
	data, err := json.Marshal(s.Raw)
	if err != nil {
		return err
	}
	k := &raw{}
	if err := utiljson.Unmarshal(data, k); err != nil { // it keeps integers as they are
		return fmt.Errorf("the backends of a route: %w", err)
	}
	s.Raw = k
	return nil
}
