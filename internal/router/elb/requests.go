package elb

import (
	"context"
	"slices"
	"strconv"
	"sync"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// requestPrefix and a verb are the key of the tag with a request. An IAM policy can allow each
// verb to other people.
const requestPrefix = "bluegreen:request/"

// reasonField ends the value of a request: its text may have spaces.
const reasonField = " reason="

func encodeRequest(r traffic.Request) string {
	text := fieldsText(field{"shift", r.Shift, 40}, field{"at", strconv.Itoa(int(r.At)), 6}, field{"nonce", r.Nonce, 16},
		field{"gate", r.Gate, 60}, field{"by", r.By, 100})
	if r.Reason != "" {
		text += reasonField + escape(r.Reason, maxTagValue-len(text)-len(reasonField))
	}
	return text
}

// decodeRequest returns the request in the tags of a verb; false: there is none that can be read.
func decodeRequest(verb traffic.Verb, tags map[string]string) (traffic.Request, bool) {
	fields := fieldsOf(tags[requestPrefix+string(verb)])
	at, err := strconv.Atoi(fields["at"])
	r := traffic.Request{Verb: verb, Shift: fields["shift"], At: shift.Share(at), Gate: fields["gate"], By: fields["by"], Reason: fields["reason"], Nonce: fields["nonce"]}
	return r, err == nil && r.Shift != "" && r.Nonce != ""
}

// Requests implements traffic.Requester with one DescribeTags per twenty routes of a region.
func (r *Recorder) Requests(ctx context.Context, routes []string) ([]traffic.Request, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	found := map[string]map[string]string{}
	var failed error
	var mu sync.Mutex
	inBatches(routes, func(region string, some []string) {
		tags, errs := r.tagsBatch(ctx, region, some)
		mu.Lock()
		defer mu.Unlock()
		for _, route := range some {
			found[route] = tags[route]
			if err := errs[route]; err != nil && !isNotFound(err) && failed == nil {
				failed = err
			}
		}
	})
	if failed != nil {
		return nil, failed
	}
	var all []traffic.Request
	for _, verb := range traffic.Verbs() {
		for _, route := range routes {
			if one, ok := decodeRequest(verb, found[route]); ok && !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
	}
	return all, nil
}

// Ask implements traffic.Requester with one AddTags per route.
func (r *Recorder) Ask(ctx context.Context, routes []string, request traffic.Request) error {
	tags := []types.Tag{{Key: new(requestPrefix + string(request.Verb)), Value: new(encodeRequest(request))}}
	return tagEach(routes, func(region, route string) error {
		_, err := r.router.client(region).AddTags(ctx, &elbv2.AddTagsInput{ResourceArns: []string{route}, Tags: tags})
		return callError(addTags, route, err)
	})
}

func requestKeys(verbs []traffic.Verb) []string {
	var keys []string
	for _, verb := range verbs {
		keys = append(keys, requestPrefix+string(verb))
	}
	return keys
}

// RemoveRequests implements traffic.Requester with one RemoveTags per route.
func (r *Recorder) RemoveRequests(ctx context.Context, routes []string, verbs []traffic.Verb) error {
	keys := requestKeys(verbs)
	return tagEach(routes, func(region, route string) error {
		_, err := r.router.client(region).RemoveTags(ctx, &elbv2.RemoveTagsInput{ResourceArns: []string{route}, TagKeys: keys})
		return callError(removeTags, route, err)
	})
}
