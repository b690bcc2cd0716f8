//! The tangent kernel (NTK) of a sparse, finite network, and its distance from that of infinite width.
//!
//! The NNGP kernel is that of a network whose last layer alone is trained. Gradient descent moves both layers, and what
//! it sees is the tangent kernel, the product of the gradients of the output by every weight. With the network `f(x) =
//! (n d)^(-1/2) v^T [u x]_+`, masks `s`, weights `u_ij = s_ij w_ij / sqrt(p)`, `P_i = u_i.x`, `Q_i = u_i.y`, `H` the
//! step function and `c_i = sum_j s_ij x_j y_j`:
//!
//! `ntk(x, y) = 1/(n d) sum_i { [P_i]_+ [Q_i]_+  +  (tau / p) v_i^2 H(P_i) H(Q_i) c_i }`.
//!
//! The first term is the NNGP kernel. The second is that of the first layer, where `tau` depends on which variables
//! gradient descent moves, see [`Tangent`]. With `K_0 = (pi - t) / 2 pi`, the averages over masks
//!
//! - `J~_1 = E_s[C_s K_0(x_s, y_s)] / p`, `C_s = x_s.y_s`,
//! - `J~_11 = E_s[C_s K_1(x_s, y_s)] / p^2`,
//! - `J~_2 = E_s[C_s^2 K_0(x_s, y_s)] / p^2`,
//!
//! and the kurtosis `k = E v^4 / (E v^2)^2` of the last layer, one hidden unit's share of the kernel, times `d`, has
//! the moments
//!
//! - first: `K~_1 + tau J~_1`,
//! - second: `K~_2 + 2 tau J~_11 + tau^2 k J~_2`.
//!
//! The dense network of infinite width has `ntk_inf = (K_1 + C K_0) / d`, and the mean squared distance is bias^2 +
//! variance / n of these moments, as in [Theorem 1](crate::kernel::nngp).
//!
//! Source: ours; for the dense limit, Jacot, Gabriel and Hongler, "Neural tangent kernel", 2018.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{EnumMessage, IntoStaticStr, VariantArray};

use crate::kernel::arc_cosine::{Angle, arc_cosine};
use crate::kernel::gram::{Gram, Pair};
use crate::network::{Activation, Connectivity};

/// A kernel of a network at initialisation.
///
/// ```
/// use sparsewidth::kernel::ntk::{Kernel, Tangent};
/// assert_eq!(Kernel::Ntk(Tangent::Standardised).to_string(), "ntk");
/// assert_eq!(Kernel::default(), Kernel::Nngp);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "KernelFields", into = "KernelFields")]
#[non_exhaustive]
pub enum Kernel {
    /// The kernel of the last layer, that of the Gaussian process of the outputs: the paper's.
    #[default]
    Nngp,
    /// The tangent kernel of all layers: what gradient descent sees.
    Ntk(Tangent),
}

impl Kernel {
    /// The name, as records and the command line spell it: `nngp` or `ntk`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nngp => "nngp",
            Self::Ntk(_) => "ntk",
        }
    }

    /// Its name alone.
    #[must_use]
    pub fn named(self) -> KernelName {
        match self {
            Self::Nngp => KernelName::Nngp,
            Self::Ntk(_) => KernelName::Ntk,
        }
    }

    /// What it is, for titles and tables.
    #[must_use]
    pub fn title(self) -> String {
        match self {
            Self::Nngp => "NNGP kernel".into(),
            Self::Ntk(tangent) => format!("tangent kernel, {}", tangent.title()),
        }
    }

    /// What titles of distances begin with: the paper's kernel is not named.
    #[must_use]
    pub fn short_title(self) -> &'static str {
        match self {
            Self::Nngp => "Kernel",
            Self::Ntk(Tangent::Standardised) => "Tangent kernel (tau = 1)",
            Self::Ntk(Tangent::Paper) => "Tangent kernel (tau = p)",
        }
    }

    /// The convention of the tangent kernel; none for the NNGP kernel.
    #[must_use]
    pub fn tangent(self) -> Option<Tangent> {
        match self {
            Self::Nngp => None,
            Self::Ntk(tangent) => Some(tangent),
        }
    }
}

/// A kernel as records spell it; those without it are of the NNGP kernel.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct KernelFields {
    #[serde(default)]
    kernel: KernelName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tangent: Option<Tangent>,
}

/// The name of a kernel, as records and the command line spell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum KernelName {
    /// The kernel of the last layer, as in the paper
    #[default]
    Nngp,
    /// The tangent kernel of all layers, which gradient descent sees
    Ntk,
}

impl KernelName {
    /// The kernel of that name, under a convention for the tangent kernel.
    #[must_use]
    pub fn with(self, tangent: Tangent) -> Kernel {
        match self {
            Self::Nngp => Kernel::Nngp,
            Self::Ntk => Kernel::Ntk(tangent),
        }
    }
}

impl From<KernelFields> for Kernel {
    fn from(fields: KernelFields) -> Self {
        fields.kernel.with(fields.tangent.unwrap_or_default())
    }
}

impl From<Kernel> for KernelFields {
    fn from(kernel: Kernel) -> Self {
        Self { kernel: kernel.named(), tangent: kernel.tangent() }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which variables of a sparse layer gradient descent moves: `tau` of the tangent kernel.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr, EnumMessage, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum Tangent {
    /// The standardised weights `w ~ N(0, 1)`, with the factor `1/sqrt(p)` in the network: `tau = 1`.
    #[default]
    #[strum(message = "standardised weights, tau = 1")]
    Standardised,
    /// The weights `u` themselves, of variance `1/p`, as in Eq. (1) and the authors' code: `tau = p`, a sparse layer
    /// learns `p` times as fast.
    #[strum(message = "the paper's weights, tau = p")]
    Paper,
}

impl Tangent {
    /// `tau` at a connectivity `p`: 1, or `p`.
    #[must_use]
    pub fn tau(self, connectivity: Connectivity) -> f64 {
        match self {
            Self::Standardised => 1.0,
            Self::Paper => connectivity.get(),
        }
    }

    /// The name, as records and the command line spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it is, for titles and tables.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.get_message().expect("every variant has a title")
    }
}

/// The kernels of the dense network of infinite width, times `d`: of one hidden layer, `K_1` and `K_1 + C K_0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InfiniteWidth {
    /// `d nngp_inf`.
    pub nngp: f64,
    /// `d ntk_inf`, at `tau = 1`.
    pub ntk: f64,
}

impl InfiniteWidth {
    /// One hidden layer of ReLU units.
    ///
    /// ```
    /// use ndarray::array;
    /// use sparsewidth::kernel::{gram::Pair, ntk::InfiniteWidth};
    /// // Of an input with itself: K_1 = |x|^2 / 2, and C K_0 = |x|^2 / 2 as well.
    /// let x = array![3.0, 4.0];
    /// let limit = InfiniteWidth::of(&Pair::new(x.view(), x.view())?);
    /// assert!((limit.nngp - 12.5).abs() < 1e-12 && (limit.ntk - 25.0).abs() < 1e-12);
    /// # Ok::<(), sparsewidth::Error>(())
    /// ```
    #[must_use]
    pub fn of(pair: &Pair) -> Self {
        Self::of_layers(pair, &[Activation::Relu])
    }

    /// Hidden layers of these activations, from the inputs on, by recursion: a ReLU layer turns the Gram triple
    /// `(A, B, C)` into `(A/2, B/2, K_1)` and the tangent kernel of its inputs into `K_0` times it, and adds its own,
    /// `C K_0`. A linear layer leaves the triple as it is and adds `C`.
    #[must_use]
    pub fn of_layers(pair: &Pair, layers: &[Activation]) -> Self {
        let mut gram = pair.gram();
        // The tangent kernel of the outputs of the layers so far.
        let mut tangent = 0.0;
        for (index, layer) in layers.iter().enumerate() {
            tangent += gram.c;
            if *layer == Activation::Relu {
                // The first angle from the inputs: their Gram triple loses half the digits of a small one.
                let angle = if index == 0 { pair.angle() } else { Angle::of(gram) };
                tangent *= if gram.scale() > 0.0 { angle.k0() } else { 0.0 };
                gram = Gram { a: 0.5 * gram.a, b: 0.5 * gram.b, c: arc_cosine(gram).k1 };
            }
        }
        Self { nngp: gram.c, ntk: gram.c + tangent }
    }

    /// The one that is asked for.
    #[must_use]
    pub fn get(&self, kernel: Kernel) -> f64 {
        match kernel {
            Kernel::Nngp => self.nngp,
            Kernel::Ntk(_) => self.ntk,
        }
    }
}
