package localaws_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	stand "github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/lambda"
)

// Two versions are two servers: an alias divides invocations between them exactly.
func TestLambda_runsTwoVersionsByWeight(t *testing.T) {
	f := newFunctions(t, localaws.WithManagement("127.0.0.1:0"))
	f.release(says("one"), says("two"))
	f.alias(map[string]float64{"2": 0.125})
	count := map[string]int{}
	for range 80 {
		version, payload, fault := f.invoke("live")
		want := map[string]string{"1": `one{"order":7}`, "2": `two{"order":7}`}[version]
		if payload != want || fault != "" {
			t.Fatalf("version %s answered %s %s, want %s", version, payload, fault, want)
		}
		count[version]++
	}
	if want := map[string]int{"1": 70, "2": 10}; !reflect.DeepEqual(count, want) {
		t.Errorf("got %v, want %v", count, want)
	}
	var status map[string]stand.AliasStatus
	f.manage("/aliases", &status)
	if got := fmt.Sprint(status); got != "map["+functionARN+":live:{map[1:0.875 2:0.125] map[1:{70 0} 2:{10 0}]}]" {
		t.Errorf("the management port shows %s", got)
	}
	for qualifier, want := range map[string]string{"1": `one{"order":7}`, "2": `two{"order":7}`, "$LATEST": `two{"order":7}`} {
		if version, payload, _ := f.invoke(qualifier); version != qualifier || payload != want {
			t.Errorf("%s: version %s answered %s", qualifier, version, payload)
		}
	}
}

func TestLambda_functionErrors(t *testing.T) {
	f := newFunctions(t)
	f.release(nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"errorMessage":"no stock"}`)
	}))
	if version, payload, fault := f.invoke("1"); version != "1" || fault != "Unhandled" || payload == "" {
		t.Errorf("without a handler: version %s, %q, %s", version, fault, payload)
	}
	if got := f.srv.Lambda().Counts(functionARN + ":1")["1"]; got.Invocations != 1 || got.Errors != 1 {
		t.Errorf("version 1 has the counts %+v", got)
	}
	if version, payload, fault := f.invoke("2"); version != "2" || fault != "Unhandled" || payload != `{"errorMessage":"no stock"}` {
		t.Errorf("with a status of 500: version %s, %q, %s", version, fault, payload)
	}
}

func TestLambda_asynchronousInvocation(t *testing.T) {
	f := newFunctions(t)
	ran := make(chan string, 1)
	f.release(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		payload, _ := io.ReadAll(r.Body)
		ran <- string(payload)
	}))
	out, err := f.api.Invoke(f.ctx(), &lambda.InvokeInput{FunctionName: aws.String("shop:1"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{}`)})
	f.must(err)
	if payload := <-ran; out.StatusCode != http.StatusAccepted || payload != `{}` {
		t.Errorf("status %d, payload %s", out.StatusCode, payload)
	}
}

// An update keeps what it leaves out, and only an empty routing configuration ends a split.
func TestLambda_updatesOfAnAlias(t *testing.T) {
	f := newFunctions(t)
	f.release(nil, nil, nil)
	first := f.alias(nil)
	if first.RoutingConfig != nil || *first.AliasArn != functionARN+":live" {
		t.Fatalf("the new alias is %+v", first)
	}
	split, err := f.update(func(in *lambda.UpdateAliasInput) {
		in.RevisionId = first.RevisionId
		in.RoutingConfig = &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.001}}
	})
	f.must(err)
	if *split.RevisionId == *first.RevisionId || split.RoutingConfig.AdditionalVersionWeights["2"] != 0.001 || *split.FunctionVersion != "1" {
		t.Errorf("the split is %+v", split)
	}
	moved, err := f.update(func(in *lambda.UpdateAliasInput) { in.FunctionVersion = aws.String("3") })
	f.must(err)
	if *moved.FunctionVersion != "3" || moved.RoutingConfig.AdditionalVersionWeights["2"] != 0.001 || *moved.Description != "what customers use" {
		t.Errorf("the update of the version changed more: %+v", moved)
	}
	whole, err := f.update(func(in *lambda.UpdateAliasInput) { in.RoutingConfig = &types.AliasRoutingConfiguration{} })
	f.must(err)
	if whole.RoutingConfig != nil || f.get().RoutingConfig != nil {
		t.Errorf("the split did not end: %+v", whole.RoutingConfig)
	}
	if got := f.srv.Lambda().Weights(functionARN + ":live"); !reflect.DeepEqual(got, map[string]float64{"3": 1}) {
		t.Errorf("the alias sends %v", got)
	}
}

func TestLambda_refusals(t *testing.T) {
	f := newFunctions(t)
	f.release(nil, nil, nil)
	old := f.alias(nil)
	if _, err := f.update(func(in *lambda.UpdateAliasInput) { in.Description = aws.String("other") }); err != nil {
		t.Fatal(err)
	}
	weights := func(w map[string]float64) func(*lambda.UpdateAliasInput) {
		return func(in *lambda.UpdateAliasInput) {
			in.RoutingConfig = &types.AliasRoutingConfiguration{AdditionalVersionWeights: w}
		}
	}
	before := *f.get().RevisionId
	for name, c := range map[string]struct {
		change func(*lambda.UpdateAliasInput)
		want   string
	}{
		"old revision": {func(in *lambda.UpdateAliasInput) { in.RevisionId = old.RevisionId },
			"PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"},
		"third version":         {weights(map[string]float64{"2": 0.1, "3": 0.1}), "InvalidParameterValueException: Number of items in AdditionalVersionWeights cannot be greater than 1"},
		"same version":          {weights(map[string]float64{"1": 0.1}), "InvalidParameterValueException: Invalid function version 1. Function version 1 is already included in routing configuration."},
		"additional is missing": {weights(map[string]float64{"9": 0.1}), "ResourceNotFoundException: Function not found: " + functionARN + ":9"},
		"primary is missing":    {func(in *lambda.UpdateAliasInput) { in.FunctionVersion = aws.String("9") }, "ResourceNotFoundException: Function not found: " + functionARN + ":9"},
		"latest is primary": {func(in *lambda.UpdateAliasInput) {
			weights(map[string]float64{"2": 0.1})(in)
			in.FunctionVersion = aws.String("$LATEST")
		}, "InvalidParameterValueException: $LATEST is not supported for an alias pointing to more than 1 version"},
		"too much": {weights(map[string]float64{"2": 1.5}), "ValidationException: 1 validation error detected: Value '{2=1.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: " +
			"Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]"},
		"no alias":    {func(in *lambda.UpdateAliasInput) { in.Name = aws.String("test") }, "ResourceNotFoundException: Cannot find alias arn: " + functionARN + ":test"},
		"no function": {func(in *lambda.UpdateAliasInput) { in.FunctionName = aws.String("other") }, "ResourceNotFoundException: Function not found: arn:aws:lambda:eu-central-1:123456789012:function:other"},
		"other region": {func(in *lambda.UpdateAliasInput) {
			in.FunctionName = aws.String("arn:aws:lambda:us-east-1:123456789012:function:shop")
		}, "ResourceNotFoundException: Function not found: " + functionARN},
	} {
		if _, err := f.update(c.change); refused(err) != c.want {
			t.Errorf("%s: got %s\nwant %s", name, refused(err), c.want)
		}
	}
	if after := *f.get().RevisionId; after != before {
		t.Error("a refused update changed the alias")
	}
	for _, weight := range []float64{0, 1} {
		out, err := f.update(weights(map[string]float64{"2": weight}))
		f.must(err)
		if got, there := out.RoutingConfig.AdditionalVersionWeights["2"]; !there || got != weight {
			t.Errorf("a weight of %v is stored as %v", weight, out.RoutingConfig)
		}
	}
}

// A version that an alias has cannot be deleted, and its number is not used again.
func TestLambda_versions(t *testing.T) {
	f := newFunctions(t)
	f.release(nil, nil)
	f.alias(map[string]float64{"2": 0.5})
	again, err := f.api.PublishVersion(f.ctx(), &lambda.PublishVersionInput{FunctionName: aws.String("shop")})
	f.must(err)
	if *again.Version != "2" {
		t.Errorf("a function without changes was published as %s", *again.Version)
	}
	remove := func(version string) error {
		_, err := f.api.DeleteFunction(f.ctx(), &lambda.DeleteFunctionInput{FunctionName: aws.String("shop"), Qualifier: &version})
		return err
	}
	for _, version := range []string{"1", "2"} {
		if _, conflict := errors.AsType[*types.ResourceConflictException](remove(version)); !conflict {
			t.Errorf("version %s of an alias was deleted", version)
		}
	}
	_, err = f.update(func(in *lambda.UpdateAliasInput) { in.RoutingConfig = &types.AliasRoutingConfiguration{} })
	f.must(err)
	f.must(remove("2"))
	_, err = f.api.UpdateFunctionCode(f.ctx(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("shop"), ZipFile: []byte("other")})
	f.must(err)
	next, err := f.api.PublishVersion(f.ctx(), &lambda.PublishVersionInput{FunctionName: aws.String("shop")})
	f.must(err)
	list, err := f.api.ListVersionsByFunction(f.ctx(), &lambda.ListVersionsByFunctionInput{FunctionName: aws.String("shop")})
	f.must(err)
	var numbers []string
	for _, v := range list.Versions {
		numbers = append(numbers, *v.Version)
	}
	if want := []string{"$LATEST", "1", "3"}; *next.Version != "3" || !reflect.DeepEqual(numbers, want) {
		t.Errorf("published %s, listed %v", *next.Version, numbers)
	}
}

func TestLambda_listsAliasesInPages(t *testing.T) {
	f := newFunctions(t)
	f.release(nil, nil)
	f.alias(map[string]float64{"2": 0.5})
	for _, name := range []string{"a", "b", "z"} {
		_, err := f.api.CreateAlias(f.ctx(), &lambda.CreateAliasInput{FunctionName: aws.String("shop"), Name: &name, FunctionVersion: aws.String("2")})
		f.must(err)
	}
	var names []string
	pages := lambda.NewListAliasesPaginator(f.api, &lambda.ListAliasesInput{FunctionName: aws.String("shop"), MaxItems: aws.Int32(3)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(f.ctx())
		f.must(err)
		for _, a := range page.Aliases {
			names = append(names, *a.Name)
		}
	}
	if want := []string{"a", "b", "live", "z"}; !reflect.DeepEqual(names, want) {
		t.Errorf("got %v", names)
	}
	some, err := f.api.ListAliases(f.ctx(), &lambda.ListAliasesInput{FunctionName: aws.String("shop"), FunctionVersion: aws.String("1")})
	f.must(err)
	if len(some.Aliases) != 1 || *some.Aliases[0].Name != "live" {
		t.Errorf("version 1 has %d aliases", len(some.Aliases))
	}
}

func TestLambda_provisionedConcurrency(t *testing.T) {
	f := newFunctions(t, localaws.WithFunctionDelays(0, time.Hour))
	f.release(says("one"), says("two"))
	f.alias(nil)
	put := func(qualifier string) error {
		_, err := f.api.PutProvisionedConcurrencyConfig(f.ctx(), &lambda.PutProvisionedConcurrencyConfigInput{
			FunctionName: aws.String("shop"), Qualifier: &qualifier, ProvisionedConcurrentExecutions: aws.Int32(2),
		})
		return err
	}
	get := func(qualifier string) (*lambda.GetProvisionedConcurrencyConfigOutput, error) {
		return f.api.GetProvisionedConcurrencyConfig(f.ctx(), &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: aws.String("shop"), Qualifier: &qualifier})
	}
	if _, err := get("2"); refused(err) != "ProvisionedConcurrencyConfigNotFoundException: No Provisioned Concurrency Config found for this function" {
		t.Errorf("got %s", refused(err))
	}
	f.must(put("2"))
	if out, err := get("2"); err != nil || out.Status != types.ProvisionedConcurrencyStatusEnumInProgress || *out.AllocatedProvisionedConcurrentExecutions != 0 {
		t.Errorf("got %+v, %v", out, err)
	}
	f.srv.Lambda().FinishProvisioning(functionARN+":2", "")
	if out, err := get("2"); err != nil || out.Status != types.ProvisionedConcurrencyStatusEnumReady || *out.AllocatedProvisionedConcurrentExecutions != 2 {
		t.Errorf("got %+v, %v", out, err)
	}

	// An alias has weights or provisioned concurrency. A new version serves once it is provisioned.
	f.must(put("live"))
	f.srv.Lambda().FinishProvisioning(functionARN+":live", "")
	split := func(in *lambda.UpdateAliasInput) {
		in.RoutingConfig = &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.5}}
	}
	if _, err := f.update(split); refused(err) != "InvalidParameterValueException: Invalid alias configuration for Provisioned Concurrency" {
		t.Errorf("got %s", refused(err))
	}
	out, err := f.update(func(in *lambda.UpdateAliasInput) { in.FunctionVersion = aws.String("2") })
	f.must(err)
	if *out.FunctionVersion != "2" || out.RoutingConfig == nil || out.RoutingConfig.AdditionalVersionWeights["1"] != 1 {
		t.Errorf("while it is provisioned, the alias is %+v", out)
	}
	if version, _, _ := f.invoke("live"); version != "1" {
		t.Errorf("version %s ran before it was provisioned", version)
	}
	f.srv.Lambda().FinishProvisioning(functionARN+":live", "")
	if version, _, _ := f.invoke("live"); version != "2" || f.get().RoutingConfig != nil {
		t.Errorf("version %s ran after it was provisioned", version)
	}
	_, err = f.api.DeleteProvisionedConcurrencyConfig(f.ctx(), &lambda.DeleteProvisionedConcurrencyConfigInput{FunctionName: aws.String("shop"), Qualifier: aws.String("live")})
	f.must(err)
	_, err = f.update(func(in *lambda.UpdateAliasInput) {
		in.RoutingConfig = &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"1": 0.5}}
	})
	f.must(err)
	if err := put("live"); refused(err) != "InvalidParameterValueException: Alias with weights can not be used with Provisioned Concurrency" {
		t.Errorf("got %s", refused(err))
	}
}

func TestLambda_statusOfAVersion(t *testing.T) {
	f := newFunctions(t, localaws.WithFunctionDelays(time.Hour, 0))
	f.release(nil, nil)
	status := func() *lambda.GetFunctionConfigurationOutput {
		out, err := f.api.GetFunctionConfiguration(f.ctx(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("shop"), Qualifier: aws.String("2")})
		f.must(err)
		return out
	}
	if got := status(); got.State != types.StatePending || got.LastUpdateStatus != types.LastUpdateStatusInProgress {
		t.Errorf("a new version is %s, %s", got.State, got.LastUpdateStatus)
	}
	f.srv.Lambda().SetVersionStatus(functionARN+":2", "", "")
	if got := status(); got.State != types.StateActive || got.LastUpdateStatus != types.LastUpdateStatusSuccessful || *got.FunctionArn != functionARN+":2" {
		t.Errorf("the version is %s, %s", got.State, got.LastUpdateStatus)
	}
	f.srv.Lambda().SetVersionStatus(functionARN+":2", "ImageDeleted", "The image is gone.")
	if got := status(); got.State != types.StateFailed || got.StateReasonCode != types.StateReasonCodeImageDeleted || *got.StateReason != "The image is gone." {
		t.Errorf("the version is %s, %s", got.State, *got.StateReason)
	}
}

func TestLambda_tags(t *testing.T) {
	f := newFunctions(t)
	f.release(nil)
	_, err := f.api.TagResource(f.ctx(), &lambda.TagResourceInput{Resource: aws.String(functionARN), Tags: map[string]string{"stage": "prod"}})
	f.must(err)
	_, err = f.api.UntagResource(f.ctx(), &lambda.UntagResourceInput{Resource: aws.String(functionARN), TagKeys: []string{"team"}})
	f.must(err)
	out, err := f.api.ListTags(f.ctx(), &lambda.ListTagsInput{Resource: aws.String(functionARN)})
	f.must(err)
	if want := map[string]string{"stage": "prod"}; !reflect.DeepEqual(out.Tags, want) {
		t.Errorf("got %v", out.Tags)
	}
	whole, err := f.api.GetFunction(f.ctx(), &lambda.GetFunctionInput{FunctionName: aws.String("shop")})
	f.must(err)
	if whole.Tags["stage"] != "prod" || *whole.Configuration.FunctionArn != functionARN {
		t.Errorf("got %+v", whole)
	}
}

func TestLambda_faults(t *testing.T) {
	for kind, want := range map[faults.Kind]string{
		faults.Throttle: "TooManyRequestsException: Rate exceeded", faults.ServerError: "ServiceException: An error occurred and the request cannot be processed.",
		faults.AccessDenied: "AccessDeniedException: User: arn:aws:iam::123456789012:user/local is not authorized to perform: lambda:UpdateAlias because no identity-based policy allows the lambda:UpdateAlias action",
		faults.ExpiredToken: "ExpiredTokenException: The security token included in the request is expired",
	} {
		f := newFunctions(t, localaws.WithFault(faults.Fault{Kind: kind, Action: "UpdateAlias", ARN: ":shop"}))
		f.release(nil, nil)
		f.alias(nil)
		if _, err := f.update(func(in *lambda.UpdateAliasInput) { in.FunctionVersion = aws.String("2") }); refused(err) != want {
			t.Errorf("%s: got %s\nwant %s", kind, refused(err), want)
		}
		if got := *f.get().FunctionVersion; got != "1" {
			t.Errorf("%s: the alias has version %s", kind, got)
		}
	}
	f := newFunctions(t)
	f.release(nil, nil)
	f.alias(nil)
	change := func(version string) {
		_, err := f.update(func(in *lambda.UpdateAliasInput) { in.FunctionVersion = &version })
		f.must(err)
	}
	defer f.srv.Inject(faults.Fault{Kind: faults.LostWrite, Action: "UpdateAlias", Times: 1})()
	change("2")
	if got := *f.get().FunctionVersion; got != "1" {
		t.Errorf("a lost write changed the alias to %s", got)
	}
	change("2")
	defer f.srv.Inject(faults.Fault{Kind: faults.StaleRead, Action: "GetAlias", Times: 1})()
	if stale, now := *f.get().FunctionVersion, *f.get().FunctionVersion; stale != "1" || now != "2" {
		t.Errorf("reads show %s and %s", stale, now)
	}
	calls := f.srv.Calls()
	last := calls[len(calls)-1]
	if last.Service != "lambda" || last.Action != "GetAlias" || last.Params.Get("FunctionName") != "shop" || last.Params.Get("Name") != "live" || last.Status != http.StatusOK {
		t.Errorf("the journal has %+v", last)
	}
}

// The metrics of an alias say which version ran, as CloudWatch has them a minute after each minute.
func TestLambda_metrics(t *testing.T) {
	clock := newClock()
	f := newFunctions(t, localaws.WithNow(clock.read))
	f.release(says("one"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	f.alias(map[string]float64{"2": 0.25})
	for range 8 {
		f.invoke("live")
	}
	f.invoke("2")
	watch := watchClient(f.srv.URL(), func(o *cw.Options) { o.Region = "eu-central-1" })
	sum := func(name string, dimensions ...string) []float64 {
		out, err := watch.GetMetricData(f.ctx(), &cw.GetMetricDataInput{
			StartTime: aws.Time(noon()), EndTime: aws.Time(noon().Add(5 * time.Minute)),
			MetricDataQueries: []cwtypes.MetricDataQuery{{Id: aws.String("m"), MetricStat: &cwtypes.MetricStat{
				Metric: &cwtypes.Metric{Namespace: aws.String("AWS/Lambda"), MetricName: &name, Dimensions: dims(dimensions...)}, Period: aws.Int32(60), Stat: aws.String("Sum"),
			}}},
		})
		f.must(err)
		return out.MetricDataResults[0].Values
	}
	if early := sum("Invocations", "FunctionName", "shop"); len(early) > 0 {
		t.Errorf("the metrics are visible at once: %v", early)
	}
	clock.advance(2 * time.Minute)
	ofAlias := []string{"FunctionName", "shop", "Resource", "shop:live"}
	for _, c := range []struct {
		name       string
		dimensions []string
		want       []float64
	}{
		{"Invocations", []string{"FunctionName", "shop"}, []float64{9}},
		{"Errors", []string{"FunctionName", "shop"}, []float64{3}},
		{"Invocations", ofAlias, []float64{8}},
		{"Invocations", append(slices.Clone(ofAlias), "ExecutedVersion", "1"), []float64{6}},
		{"Errors", append(slices.Clone(ofAlias), "ExecutedVersion", "1"), []float64{0}},
		{"Invocations", append(slices.Clone(ofAlias), "ExecutedVersion", "2"), []float64{2}},
		{"Errors", append(slices.Clone(ofAlias), "ExecutedVersion", "2"), []float64{2}},
		{"Invocations", []string{"FunctionName", "shop", "Resource", "shop:2"}, []float64{1}},
		{"Invocations", []string{"FunctionName", "other"}, nil},
		{"Invocations", []string{"LoadBalancer", "shop"}, nil},
	} {
		if got := sum(c.name, c.dimensions...); !slices.Equal(got, c.want) {
			t.Errorf("%s of %v: got %v, want %v", c.name, c.dimensions, got, c.want)
		}
	}
	if took := sum("Duration", ofAlias...); len(took) != 1 || took[0] <= 0 {
		t.Errorf("the duration is %v", took)
	}
}

// The management port invokes an alias as a function URL does.
func TestLambda_functionURL(t *testing.T) {
	f := newFunctions(t, localaws.WithManagement("127.0.0.1:0"))
	f.release(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-App-Version", "1.4.2")
		_, _ = io.WriteString(w, "one")
	}), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "two", http.StatusInternalServerError)
	}))
	f.alias(map[string]float64{"2": 0.5})
	got := map[string]int{}
	for range 4 {
		resp, err := http.Get(f.srv.ManagementURL() + "/invoke/" + functionARN + ":live/cart")
		f.must(err)
		body, err := io.ReadAll(resp.Body)
		f.must(errors.Join(err, resp.Body.Close()))
		got[fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("X-Amz-Executed-Version"), " ", resp.Header.Get("X-App-Version"), " ", string(body))]++
	}
	if want := map[string]int{"200 1 1.4.2 one": 2, "502 2  two\n": 2}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for arn, want := range map[string]int{functionARN + ":1": http.StatusOK, functionARN: http.StatusBadGateway, functionARN + ":absent": http.StatusNotFound, "none": http.StatusNotFound} {
		resp, err := http.Get(f.srv.ManagementURL() + "/invoke/" + arn)
		f.must(err)
		f.must(resp.Body.Close())
		if resp.StatusCode != want {
			t.Errorf("%s responds %d", arn, resp.StatusCode)
		}
	}
}

// Code may be larger than the requests of other services. The journal has no code.
func TestLambda_largeCode(t *testing.T) {
	f := newFunctions(t)
	code := bytes.Repeat([]byte("code"), 1<<20)
	out, err := f.api.CreateFunction(f.ctx(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("shop"), Role: aws.String(roleARN), Code: &types.FunctionCode{ZipFile: code}, Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"),
	})
	f.must(err)
	if out.CodeSize != int64(len(code)) {
		t.Errorf("the code has %d bytes, want %d", out.CodeSize, len(code))
	}
	_, err = f.api.UpdateFunctionCode(f.ctx(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("shop"), ZipFile: code})
	f.must(err)
	for _, call := range f.srv.Calls() {
		for name, values := range call.Params {
			if len(values[0]) > 1000 {
				t.Errorf("the journal has %d bytes of %s in %s", len(values[0]), name, call.Action)
			}
		}
	}
	_, err = f.api.Invoke(f.ctx(), &lambda.InvokeInput{FunctionName: aws.String("shop"), Payload: bytes.Repeat([]byte("1"), 6<<20+1)})
	if _, large := errors.AsType[*types.RequestTooLargeException](err); !large {
		t.Errorf("a payload above 6 MB: %v", err)
	}
}
