package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// The handshake of Terraform plugins (go-plugin), protocol 6.
const (
	cookie     = "TF_PLUGIN_MAGIC_COOKIE=d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
	versions   = "PLUGIN_PROTOCOL_VERSIONS=6"
	schemaCall = "/tfplugin6.Provider/GetProviderSchema"
)

// provider measures the release binary: time to its schema, memory, and size.
func (b bench) provider(ctx context.Context) ([]row, error) {
	binary := filepath.Join(b.dir, "provider")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, ".")
	build.Dir, build.Env = b.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot build the provider: %w\n%s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		return nil, err
	}
	var times []time.Duration
	var resident []int
	for range 11 {
		took, kib, err := requestSchema(ctx, binary)
		if err != nil {
			return nil, err
		}
		times, resident = append(times, took), append(resident, kib)
	}
	start, mib, size := median(times), float64(slices.Max(resident))/1024, float64(info.Size())/1e6
	return []row{
		{what: "provider: time from start to schema, median of 11", goal: "within 150 ms", measured: ms(start), missed: start > 150*time.Millisecond},
		{what: "provider: peak resident memory after the schema", goal: "under 60 MB", measured: fmt.Sprintf("%.1f MB", mib*1.048576), missed: mib*1.048576 >= 60},
		{what: "provider: release binary", goal: "under 45 MB", measured: fmt.Sprintf("%.1f MB", size), missed: size >= 45},
	}, nil
}

// requestSchema starts the provider as Terraform does and requests its schema.
func requestSchema(ctx context.Context, binary string) (time.Duration, int, error) {
	command := exec.CommandContext(ctx, binary)
	command.Env = append(os.Environ(), cookie, versions)
	stdout, err := command.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if err := command.Start(); err != nil {
		return 0, 0, err
	}
	defer func() { _ = command.Process.Kill(); _ = command.Wait() }()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return 0, 0, fmt.Errorf("no handshake: %w", err)
	}
	fields := strings.Split(strings.TrimSpace(line), "|") // core|app|network|address|protocol
	if len(fields) < 5 {
		return 0, 0, fmt.Errorf("unexpected handshake: %q", line)
	}
	conn, err := grpc.NewClient(fields[2]+":"+fields[3], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = conn.Close() }()
	var answer []byte
	err = conn.Invoke(ctx, schemaCall, []byte{}, &answer, grpc.ForceCodecV2(raw{}), grpc.MaxCallRecvMsgSize(64<<20))
	took := time.Since(began)
	if err != nil || len(answer) == 0 {
		return 0, 0, fmt.Errorf("no schema: %w", err)
	}
	kib, err := residentKiB(command.Process.Pid)
	return took, kib, err
}

// residentKiB reads the peak from /proc, which only Linux has.
func residentKiB(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		}
	}
	return 0, fmt.Errorf("no VmHWM for process %d", pid)
}

// raw passes messages as bytes: the content of the schema does not matter here.
type raw struct{}

var _ encoding.CodecV2 = raw{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("%T is not bytes", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("%T is not bytes", v)
	}
	*b = data.Materialize()
	return nil
}
