//! Compiles the CUDA kernels for the host, for their tests. Without the feature `host-kernels` there is nothing to do.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "host-kernels")]
    {
        println!("cargo::rerun-if-changed=src/sampled/kernels");
        cc::Build::new()
            .cpp(true)
            .std("c++17")
            .file("src/sampled/kernels/host.cpp")
            // Vectors of four are read from arrays of numbers, as CUDA allows.
            .flag("-fno-strict-aliasing")
            .opt_level(3)
            .compile("sparsewidth_host_kernels");
    }
}
