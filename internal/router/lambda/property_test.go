package lambda_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// oneAlias is an API with one alias, which refuses what Lambda refuses.
type oneAlias struct {
	lambda.Client // of the calls that no test makes

	version  string
	weights  map[string]float64
	revision int
}

func (a *oneAlias) GetAlias(context.Context, *api.GetAliasInput, ...func(*api.Options)) (*api.GetAliasOutput, error) {
	out := &api.GetAliasOutput{FunctionVersion: &a.version, RevisionId: aws.String(fmt.Sprint(a.revision))}
	if len(a.weights) > 0 {
		out.RoutingConfig = &types.AliasRoutingConfiguration{AdditionalVersionWeights: a.weights}
	}
	return out, nil
}

func (a *oneAlias) UpdateAlias(_ context.Context, in *api.UpdateAliasInput, _ ...func(*api.Options)) (*api.UpdateAliasOutput, error) {
	weights := in.RoutingConfig.AdditionalVersionWeights
	weight, same := weights[*in.FunctionVersion]
	if len(weights) > 1 || same || weight < 0 || weight > 1 {
		return nil, &types.InvalidParameterValueException{Message: aws.String("invalid routing")}
	}
	if aws.ToString(in.RevisionId) != fmt.Sprint(a.revision) {
		return nil, &types.PreconditionFailedException{}
	}
	a.version, a.weights, a.revision = *in.FunctionVersion, weights, a.revision+1
	return &api.UpdateAliasOutput{}, nil
}

// Whatever an alias has, what is written is read back, with at most two versions and none without a share.
func TestRouter_writesAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.SampledFrom([]string{"1", "2", "3"})
		a := &oneAlias{version: number.Draw(t, "version")}
		if other := number.Draw(t, "additional"); other != a.version {
			a.weights = map[string]float64{other: rapid.Float64Range(0, 1).Draw(t, "weight")}
		}
		r := lambda.New(lambda.Config{Client: func(string) lambda.Client { return a }})
		for range rapid.IntRange(1, 5).Draw(t, "writes") {
			states, err := r.Read(t.Context(), []string{live})
			if err != nil {
				t.Fatal(err)
			}
			next := states[0]
			next.Weights = map[string]int{}
			first, second, share := number.Draw(t, "first"), number.Draw(t, "second"), rapid.IntRange(0, 1000).Draw(t, "share")
			next.Weights[function+":"+second] += share
			next.Weights[function+":"+first] += 1000 - share
			if err := r.Write(t.Context(), live, next); err != nil {
				t.Fatalf("%v: %v", next.Weights, err)
			}
			got, err := r.Read(t.Context(), []string{live})
			if err != nil || !got[0].Equal(traffic.State{Weights: withoutZero(next.Weights)}) {
				t.Fatalf("wrote %v, read %v, %v", next.Weights, got[0].Weights, err)
			}
			for _, weight := range a.weights {
				if weight <= 0 || weight >= 1 {
					t.Fatalf("wrote %v as %v", next.Weights, a.weights)
				}
			}
		}
	})
}
